const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** A rough length of time in words, as docker's tables show it: `Less than a second`, `5 minutes`, `About an hour`, `3 weeks`. */
export function humanDuration(durationMs: number): string {
	const seconds = Math.floor(durationMs / SECOND_MS);
	if (seconds < 1) return "Less than a second";
	if (seconds === 1) return "1 second";
	if (seconds < 60) return `${seconds} seconds`;
	const minutes = Math.floor(durationMs / MINUTE_MS);
	if (minutes === 1) return "About a minute";
	if (minutes < 60) return `${minutes} minutes`;
	const hours = Math.round(durationMs / HOUR_MS);
	if (hours === 1) return "About an hour";
	if (hours < 48) return `${hours} hours`;
	if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
	if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
	if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
	return `${Math.floor(hours / 24 / 365)} years`;
}
