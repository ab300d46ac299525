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
	return parseUtc(buffer, start, end) ?? parseWithOffset(buffer.toString("latin1", start, end));
}

const DASH = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/** `2006-01-02T15:04:05[.999999999]Z`, digit by digit: this runs once per line of a log. */
function parseUtc(buffer: Buffer, start: number, end: number): LogTime | undefined {
	const hasShape =
		buffer[start + 4] === DASH &&
		buffer[start + 7] === DASH &&
		buffer[start + 10] === LETTER_T &&
		buffer[start + 13] === COLON &&
		buffer[start + 16] === COLON &&
		buffer[end - 1] === LETTER_Z;
	if (!hasShape || end - start < 20) return undefined;
	const days = daysSinceEpoch(digits(buffer, start, 4), digits(buffer, start + 5, 2), digits(buffer, start + 8, 2));
	const minutes = digits(buffer, start + 11, 2) * 60 + digits(buffer, start + 14, 2);
	const seconds = days * 86_400 + minutes * 60 + digits(buffer, start + 17, 2);
	const fraction = end - start - 21;
	if (Number.isNaN(seconds) || fraction > 9 || (fraction >= 0 && buffer[start + 19] !== DOT)) return undefined;
	const nanoseconds = fraction < 1 ? 0 : digits(buffer, start + 20, fraction) * 10 ** (9 - fraction);
	return Number.isNaN(nanoseconds) ? undefined : { seconds, nanoseconds };
}

function digits(buffer: Buffer, start: number, count: number): number {
	let value = 0;
	for (let index = start; index < start + count; index++) {
		const digit = (buffer[index] ?? 0) - 0x30;
		if (digit < 0 || digit > 9) return Number.NaN;
		value = value * 10 + digit;
	}
	return value;
}

/** Days of the proleptic Gregorian calendar, with years that begin in March. */
function daysSinceEpoch(year: number, month: number, day: number): number {
	const shifted = month <= 2 ? year - 1 : year;
	const era = Math.floor(shifted / 400);
	const yearOfEra = shifted - era * 400;
	const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
	const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
	return era * 146_097 + dayOfEra - 719_468;
}

function parseWithOffset(text: string): LogTime | undefined {
	const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
	const milliseconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`);
	if (match === null || Number.isNaN(milliseconds)) return undefined;
	return { seconds: milliseconds / 1000, nanoseconds: Number((match[2] ?? "").padEnd(9, "0")) };
}
