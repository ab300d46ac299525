import { InvalidParameterError } from "../base/errors.ts";
import { parseDurationMs } from "../base/units.ts";

/**
 * Seconds since the epoch with up to nine decimals, as the API takes them, from what `--since` takes: a duration back from now
 * (`42m`), seconds since the epoch, or a time of RFC 3339 from which parts may be missing (`2024-05-01`, `2024-05-01T12:00`); local
 * time when it names no zone.
 * @throws InvalidParameterError
 */
export function parseTimestamp(text: string, nowMs: number, name: string): string {
	if (/^-?\d+(\.\d+)?$/.test(text)) return text;
	if (/^[+-]?(\d|\.)[\d.]*(ns|us|µs|ms|s|m|h)/.test(text)) {
		try {
			return formatSeconds(nowMs - parseDurationMs(text), "");
		} catch {
			// Not a duration after all; what follows says what it should have been.
		}
	}
	const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2})(?::(\d{2}))?(?::(\d{2})(\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(
		text,
	);
	if (match !== null) {
		const [, day, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] = match;
		const time = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
		if (!Number.isNaN(time)) return formatSeconds(time, fraction);
	}
	throw new InvalidParameterError(
		`invalid value for "${name}": failed to parse value as time or duration: ${JSON.stringify(text)}`,
	);
}

function formatSeconds(milliseconds: number, fraction: string): string {
	const seconds = Math.floor(milliseconds / 1000);
	const rest =
		fraction === ""
			? String(Math.round((milliseconds - seconds * 1000) * 1e6)).padStart(9, "0")
			: fraction.slice(1).padEnd(9, "0").slice(0, 9);
	return `${seconds}.${rest}`;
}
