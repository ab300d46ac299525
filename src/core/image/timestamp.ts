/** RFC 3339 in UTC from milliseconds, without zeros at the end of the fraction, as Go writes it. */
export function timestamp(ms: number): string {
	return new Date(ms).toISOString().replace(/\.?0*Z$/, "Z");
}
