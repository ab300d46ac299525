/** Times and texts in the words docker's tables use. */

/** "Less than a second" to "3 years". */
export function humanDuration(milliseconds: number): string {
	const seconds = Math.trunc(milliseconds / 1000);
	if (seconds < 1) return "Less than a second";
	if (seconds === 1) return "1 second";
	if (seconds < 60) return `${seconds} seconds`;
	const minutes = Math.trunc(seconds / 60);
	if (minutes === 1) return "About a minute";
	if (minutes < 60) return `${minutes} minutes`;
	const hours = Math.trunc(seconds / 3600 + 0.5);
	if (hours === 1) return "About an hour";
	if (hours < 48) return `${hours} hours`;
	if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
	if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
	if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
	return `${Math.trunc(seconds / 3600 / 24 / 365)} years`;
}

/** "5 minutes ago"; empty for a time that was never set. */
export function humanAge(sinceSeconds: number): string {
	return sinceSeconds <= 0 ? "N/A" : `${humanDuration(Date.now() - sinceSeconds * 1000)} ago`;
}

/** `2026-11-20 23:21:59 +0000 UTC`, in the local time zone. */
export function localTime(secondsSinceEpoch: number): string {
	const date = new Date(secondsSinceEpoch * 1000);
	const offset = -date.getTimezoneOffset();
	const two = (value: number) => String(value).padStart(2, "0");
	const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
	const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
	const magnitude = Math.abs(offset);
	const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(magnitude / 60))}${two(magnitude % 60)}`;
	return `${day} ${time} ${zone} ${zoneName(date, zone)}`;
}

function zoneName(date: Date, zone: string): string {
	if (zone === "+0000") return "UTC";
	const part = new Intl.DateTimeFormat("en", { timeZoneName: "short" })
		.formatToParts(date)
		.find(({ type }) => type === "timeZoneName");
	// Go falls back on the offset where the zone has no name of letters.
	return part === undefined || /\d/.test(part.value) ? zone.replace(/00$/, "") : part.value;
}

/** At most `limit` characters, the last of which says that there were more. */
export function ellipsis(text: string, limit: number): string {
	if (limit <= 0) return "";
	const characters = [...text];
	if (characters.length <= limit) return text;
	return limit === 1 ? (characters[0] ?? "") : `${characters.slice(0, limit - 1).join("")}…`;
}

/** The first 12 digits of an ID, without the name of its digest algorithm. */
export function truncateId(id: string): string {
	return id.slice(id.indexOf(":") + 1).slice(0, 12);
}

const DECIMAL_SUFFIXES = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A size with four significant digits, `174.6MB`, where `humanSize` gives three. */
export function preciseSize(bytes: number): string {
	let value = bytes;
	let index = 0;
	while (value >= 1000 && index < DECIMAL_SUFFIXES.length - 1) {
		value /= 1000;
		index++;
	}
	return `${Number(value.toPrecision(4))}${DECIMAL_SUFFIXES[index]}`;
}
