/** Matching against the plainest matcher there is, for patterns and paths by the thousand. */
import { expect, test } from "bun:test";
import { PathGlob } from "./path-glob.ts";

const PATTERN_PIECES = ["a", "b", "/", "*", "?", "**", "**/", "/**", "[ab]", "[^a]", "\\*"];
const PATH_PIECES = ["a", "b", "/", "*"];

function randomNumbers(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

/** Tries everything. `**` and a slash is nothing or whole names; `**` at the end is anything; two stars elsewhere are names, too. */
function plainMatch(pattern: string, path: string): boolean {
	if (pattern === "") return path === "";
	const tails = Array.from({ length: path.length + 1 }, (_, index) => index);
	if (pattern.startsWith("**")) {
		const rest = pattern.slice(pattern[2] === "/" ? 3 : 2);
		if (rest === "") return true;
		return tails.some((at) => (at === 0 || path[at - 1] === "/") && plainMatch(rest, path.slice(at)));
	}
	if (pattern.startsWith("*"))
		return tails.some((at) => !path.slice(0, at).includes("/") && plainMatch(pattern.slice(1), path.slice(at)));
	const [first = ""] = path;
	if (first === "") return false;
	const [piece, takes] = pattern.startsWith("[ab]")
		? (["[ab]", "ab".includes(first)] as const)
		: pattern.startsWith("[^a]")
			? (["[^a]", first !== "a"] as const)
			: pattern.startsWith("\\*")
				? (["\\*", first === "*"] as const)
				: pattern.startsWith("?")
					? (["?", first !== "/"] as const)
					: ([pattern[0] ?? "", first === pattern[0]] as const);
	return takes && plainMatch(pattern.slice(piece.length), path.slice(1));
}

test("20,000 patterns and paths", () => {
	const random = randomNumbers(7);
	const text = (pieces: readonly string[], length: number) =>
		Array.from({ length: random(length + 1) }, () => pieces[random(pieces.length)]).join("");
	let matches = 0;
	for (let round = 0; round < 20_000; round++) {
		// Three stars are not the plain matcher's.
		const pattern = text(PATTERN_PIECES, 6).replace(/\*{3,}/g, "**");
		const path = text(PATH_PIECES, 7);
		const expected = plainMatch(pattern, path);
		const actual = new PathGlob(pattern, { doubleStar: true }).matches(path);
		if (actual !== expected) throw new Error(`${pattern} and ${path}: ${actual}`);
		if (actual) matches++;
	}
	expect(matches).toBeGreaterThan(1000);
});
