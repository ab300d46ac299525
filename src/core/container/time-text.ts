/** What Go's zero time looks like in JSON. */
const ZERO_TIME = "0001-01-01T00:00:00Z";

/** RFC 3339; 0 milliseconds means never. */
export function formatTime(milliseconds: number): string {
	return milliseconds === 0 ? ZERO_TIME : new Date(milliseconds).toISOString().replace(/\.?0*Z$/, "Z");
}
