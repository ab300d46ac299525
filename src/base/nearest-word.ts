/** Longer words are not compared: nobody mistypes them, and it would cost. */
const LONGEST = 128;

/** The candidate at most two edits away (one for short words), if there is one. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
	let best: string | undefined;
	let bestDistance = word.length < 5 ? 2 : 3;
	if (word.length > LONGEST) return undefined;
	for (const candidate of candidates) {
		const distance = editDistance(word, candidate);
		if (distance < bestDistance) {
			bestDistance = distance;
			best = candidate;
		}
	}
	return best;
}

/** Levenshtein distance with swapped neighbours counting as one edit. */
function editDistance(a: string, b: string): number {
	if (Math.abs(a.length - b.length) > 3) return 4;
	const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
	const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
	for (let i = 1; i <= a.length; i++) {
		const row = [i];
		rows.push(row);
		for (let j = 1; j <= b.length; j++) {
			const cost = a[i - 1] === b[j - 1] ? 0 : 1;
			let value = Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + cost);
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
				value = Math.min(value, at(i - 2, j - 2) + 1);
			row[j] = value;
		}
	}
	return at(a.length, b.length);
}
