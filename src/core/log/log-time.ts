/** A moment with nanoseconds, in numbers that stay exact. */
export interface LogTime {
	/** Since the epoch. */
	readonly seconds: number;
	readonly nanoseconds: number;
}

export function logTimeOf(nanosecondsSinceEpoch: bigint): LogTime {
	const seconds = nanosecondsSinceEpoch / 1_000_000_000n;
	return { seconds: Number(seconds), nanoseconds: Number(nanosecondsSinceEpoch - seconds * 1_000_000_000n) };
}

/** RFC 3339 in UTC with all nine digits, as `logs --timestamps` shows it. */
export function formatLogTime({ seconds, nanoseconds }: LogTime): string {
	return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, "0")}Z`;
}

/** Reads RFC 3339 with up to nine fractional digits out of a buffer; undefined when it is none. */
export function parseLogTime(buffer: Buffer, start: number, end: number): LogTime | undefined {
	const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(
		buffer.latin1Slice(start, end),
	);
	if (match === null) return undefined;
	const milliseconds = Date.parse(`${match[1]}${match[3]}`);
	if (Number.isNaN(milliseconds)) return undefined;
	return { seconds: milliseconds / 1000, nanoseconds: Number((match[2] ?? "").padEnd(9, "0")) };
}
