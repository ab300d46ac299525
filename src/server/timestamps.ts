import { InvalidParameterError } from "../base/errors.ts";

const NS_PER_SECOND = 1_000_000_000n;

/**
 * Nanoseconds since the epoch from `<seconds>[.<fraction>]` or, as some clients send it, an RFC 3339 time.
 * Undefined for empty and for `0`, which clients send to mean "from the beginning".
 * @throws InvalidParameterError
 */
export function parseTimestampNs(text: string): bigint | undefined {
	if (text === "" || text === "0") return undefined;
	const match = /^(-?)(\d{1,12})(?:\.(\d{0,18}))?$/.exec(text);
	if (match !== null) {
		const fraction = BigInt((match[3] ?? "").padEnd(9, "0").slice(0, 9) || "0");
		const total = BigInt(match[2] ?? "0") * NS_PER_SECOND + fraction;
		return match[1] === "-" ? -total : total;
	}
	const milliseconds = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
	if (Number.isNaN(milliseconds)) throw new InvalidParameterError(`invalid timestamp "${text}": invalid syntax`);
	return BigInt(Math.round(milliseconds * 1000)) * 1000n;
}

/** The same in seconds, fraction included. */
export function parseTimestampSeconds(text: string): number | undefined {
	const nanoseconds = parseTimestampNs(text);
	return nanoseconds === undefined ? undefined : Number(nanoseconds / 1000n) / 1e6;
}
