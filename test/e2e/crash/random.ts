/** Reproducible chance: `GANTRY_CRASH_SEED` chooses other numbers than the usual ones. */
export function seededRandom(defaultSeed: number): { readonly seed: number; next(): number } {
	const seed = Number(process.env["GANTRY_CRASH_SEED"] ?? defaultSeed);
	let state = seed >>> 0;
	return {
		seed,
		/** From 0 to less than 1 (mulberry32). */
		next: () => {
			state = (state + 0x6d2b79f5) >>> 0;
			let mixed = Math.imul(state ^ (state >>> 15), state | 1);
			mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
			return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
		},
	};
}
