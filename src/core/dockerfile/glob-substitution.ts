/**
 * `${name#pattern}`, `${name%pattern}`, `${name/pattern/word}` and their doubles. A pattern is text with `*` and `?`, neither of which
 * matches a line end, and `\*`, `\?`, `\\`. Every match is found in one pass over the value, from its end: no input makes it slow.
 */
import { DockerfileError } from "./dockerfile-error.ts";

type Token =
	| { readonly kind: "text"; readonly character: string }
	| { readonly kind: "any" }
	| { readonly kind: "many" };

/** Value length times pattern length. */
const WORK_LIMIT = 100_000_000;
const NO_MATCH = -1;

/** @throws DockerfileError for a bad escape or a match that would take too long */
export function removePrefix(value: string, pattern: string, longest: boolean): string {
	const end = matchEnds(value, tokensOf(pattern), longest)[0] ?? NO_MATCH;
	return end === NO_MATCH ? value : value.slice(end);
}

/** @throws DockerfileError for a bad escape or a match that would take too long */
export function removeSuffix(value: string, pattern: string, longest: boolean): string {
	const starts = matchesToTheEnd(value, tokensOf(pattern));
	const start = longest ? starts.indexOf(1) : starts.lastIndexOf(1);
	return start < 0 ? value : value.slice(0, start);
}

/** @throws DockerfileError for a bad escape or a match that would take too long */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
	const ends = matchEnds(value, tokensOf(pattern), true);
	const pieces: string[] = [];
	let kept = 0;
	let lastEnd = NO_MATCH;
	for (let at = 0; at <= value.length; ) {
		const end = ends[at] ?? NO_MATCH;
		// An empty match right behind a match is part of it.
		if (end === NO_MATCH || (end === at && at === lastEnd)) {
			at++;
			continue;
		}
		pieces.push(value.slice(kept, at), replacement);
		kept = end;
		lastEnd = end;
		if (!all) break;
		at = end > at ? end : at + 1;
	}
	return pieces.join("") + value.slice(kept);
}

function tokensOf(pattern: string): Token[] {
	const tokens: Token[] = [];
	for (let index = 0; index < pattern.length; index++) {
		const character = pattern[index] ?? "";
		if (character === "*") tokens.push({ kind: "many" });
		else if (character === "?") tokens.push({ kind: "any" });
		else if (character !== "\\") tokens.push({ kind: "text", character });
		else {
			const next = pattern[++index] ?? "";
			// `\}` and `\/` are there for the braces around the pattern.
			if (!"*?\\}/".includes(next) || next === "")
				throw new DockerfileError({ reason: `invalid escape "\\${next}" in the pattern "${pattern}"` });
			tokens.push({ kind: "text", character: next });
		}
	}
	return tokens;
}

/** For every start, the end of the longest or the shortest match there. */
function matchEnds(value: string, tokens: readonly Token[], longest: boolean): Int32Array {
	const better = longest ? Math.max : nearerEnd;
	const starts = new Int32Array(value.length + 1);
	return eachStart(value, tokens, starts, (at) => at, better);
}

/** The lesser of two ends that are matches. */
function nearerEnd(a: number, b: number): number {
	return a === NO_MATCH ? b : b === NO_MATCH ? a : Math.min(a, b);
}

/** 1 for every start from which the rest of the value matches. */
function matchesToTheEnd(value: string, tokens: readonly Token[]): Int32Array {
	const starts = new Int32Array(value.length + 1);
	return eachStart(value, tokens, starts, (at) => (at === value.length ? 1 : NO_MATCH), Math.max);
}

/** Fills `starts`: row j of a start is the result of the tokens from j on; each depends on this start and the next one only. */
function eachStart(
	value: string,
	tokens: readonly Token[],
	starts: Int32Array,
	whenDone: (at: number) => number,
	better: (a: number, b: number) => number,
): Int32Array {
	if (value.length * tokens.length > WORK_LIMIT)
		throw new DockerfileError({ reason: "the value and the pattern of a substitution are too long" });
	let next = new Int32Array(tokens.length + 1).fill(NO_MATCH);
	let current = new Int32Array(tokens.length + 1);
	for (let at = value.length; at >= 0; at--) {
		const character = value[at];
		current[tokens.length] = whenDone(at);
		for (let j = tokens.length - 1; j >= 0; j--) {
			const token = tokens[j];
			const onLine = character !== undefined && character !== "\n";
			if (token?.kind === "many")
				current[j] = better(current[j + 1] ?? NO_MATCH, onLine ? (next[j] ?? NO_MATCH) : NO_MATCH);
			else {
				const matches = token?.kind === "any" ? onLine : character !== undefined && token?.character === character;
				current[j] = matches ? (next[j + 1] ?? NO_MATCH) : NO_MATCH;
			}
		}
		starts[at] = current[0] ?? NO_MATCH;
		[current, next] = [next, current];
	}
	return starts;
}
