/**
 * Patterns of paths: `*` and `?` within a name, `[classes]`, `\` before a character that means itself; and, where the pattern has them, `**`
 * over names. Matching takes time in proportion to the pattern times the path, whatever either holds.
 */
import { InvalidParameterError } from "../../base/errors.ts";

type Token =
	| { readonly kind: "text"; readonly character: string }
	| { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] }
	/** `?` */
	| { readonly kind: "one" }
	/** `*` */
	| { readonly kind: "many" }
	/** `**` at the end. */
	| { readonly kind: "all" }
	/** `**` and a slash: nothing, or whole names. */
	| { readonly kind: "directories" };

export interface GlobOptions {
	/** `**` means any number of names; otherwise it is two `*`. */
	readonly doubleStar: boolean;
}

/** A pattern, compiled. */
export class PathGlob {
	readonly #tokens: readonly Token[];
	/** Text that every match begins and ends with: most paths are refused by it. */
	readonly #prefix: string;
	readonly #suffix: string;
	/** The longest text that every match has somewhere. */
	readonly #middle: string;

	/** @throws InvalidParameterError for an open class, an empty one, or a `\` at the end */
	constructor(pattern: string, options: GlobOptions) {
		this.#tokens = tokensOf(pattern, options);
		const texts = literals(this.#tokens);
		this.#prefix = texts[0] ?? "";
		this.#suffix = texts.at(-1) ?? "";
		this.#middle = texts.reduce((longest, text) => (text.length > longest.length ? text : longest), "");
	}

	matches(path: string): boolean {
		if (!path.startsWith(this.#prefix) || !path.endsWith(this.#suffix) || !path.includes(this.#middle)) return false;
		const tokens = this.#tokens;
		let current = new Uint8Array(tokens.length + 1);
		let next = new Uint8Array(tokens.length + 1);
		reach(current, tokens, 0);
		for (const character of path) {
			next.fill(0);
			let alive = false;
			for (let index = 0; index < tokens.length; index++)
				if (current[index] !== 0) alive = step(next, tokens, index, current[index] ?? 0, character) || alive;
			if (!alive) return false;
			[current, next] = [next, current];
		}
		return ((current[tokens.length] ?? 0) & HERE) !== 0;
	}
}

/** A token may begin here. */
const HERE = 1;
/** In the middle of the names that `**` + slash takes. */
const WITHIN = 2;

/** Marks a token as reachable, and those behind it that may follow without a character. */
function reach(states: Uint8Array, tokens: readonly Token[], from: number): void {
	for (let index = from; index < states.length; index++) {
		states[index] = (states[index] ?? 0) | HERE;
		const kind = tokens[index]?.kind;
		if (kind !== "many" && kind !== "all" && kind !== "directories") return;
	}
}

/** One character from one state. False when it does not fit. */
function step(next: Uint8Array, tokens: readonly Token[], index: number, state: number, character: string): boolean {
	const token = tokens[index];
	if (token === undefined) return false;
	switch (token.kind) {
		case "directories":
			next[index] = (next[index] ?? 0) | WITHIN;
			if (character === "/") reach(next, tokens, index + 1);
			return true;
		case "all":
			reach(next, tokens, index);
			return true;
		case "many":
			if (character === "/") return false;
			reach(next, tokens, index);
			return true;
		default:
			if (state === WITHIN || !takes(token, character)) return false;
			reach(next, tokens, index + 1);
			return true;
	}
}

function takes(token: Token, character: string): boolean {
	switch (token.kind) {
		case "text":
			return token.character === character;
		case "one":
			return character !== "/";
		case "class":
			return token.ranges.some(([low, high]) => isWithin(character, low, high)) !== token.negated;
		default:
			return false;
	}
}

function isWithin(character: string, low: string, high: string): boolean {
	const code = character.codePointAt(0) ?? 0;
	return code >= (low.codePointAt(0) ?? 0) && code <= (high.codePointAt(0) ?? 0);
}

/** The texts between wildcards, "" where two of them or an end and one meet. */
function literals(tokens: readonly Token[]): string[] {
	const texts = [""];
	for (const token of tokens)
		if (token.kind === "text") texts.push(texts.pop() + token.character);
		else texts.push("");
	return texts;
}

function tokensOf(pattern: string, { doubleStar }: GlobOptions): Token[] {
	const characters = [...pattern];
	const tokens: Token[] = [];
	for (let at = 0; at < characters.length; at++) {
		const character = characters[at] ?? "";
		if (character === "*" && doubleStar && characters[at + 1] === "*") {
			at++;
			if (characters[at + 1] === "/") at++;
			tokens.push({ kind: at + 1 < characters.length ? "directories" : "all" });
		} else if (character === "*") tokens.push({ kind: "many" });
		else if (character === "?") tokens.push({ kind: "one" });
		else if (character === "[") {
			const { token, end } = classAt(characters, at, pattern);
			tokens.push(token);
			at = end;
		} else if (character === "\\") tokens.push({ kind: "text", character: characters[++at] ?? fault(pattern) });
		else tokens.push({ kind: "text", character });
	}
	return tokens;
}

/** `[a-z]`, `[^a]`. A `-` or `]` that is meant needs a backslash. */
function classAt(characters: readonly string[], start: number, pattern: string): { token: Token; end: number } {
	let at = start + 1;
	const negated = characters[at] === "^";
	if (negated) at++;
	const ranges: (readonly [string, string])[] = [];
	const member = (): string => {
		const character = characters[at++] ?? fault(pattern);
		if (character === "-" || character === "]") fault(pattern);
		return character === "\\" ? (characters[at++] ?? fault(pattern)) : character;
	};
	while (characters[at] !== "]" || ranges.length === 0) {
		const low = member();
		if (characters[at] !== "-") ranges.push([low, low]);
		else {
			at++;
			ranges.push([low, member()]);
		}
	}
	return { token: { kind: "class", negated, ranges }, end: at };
}

function fault(pattern: string): never {
	throw new InvalidParameterError(`syntax error in pattern: ${pattern}`);
}

/** A path without `.`, `..`, doubled slashes and a slash at its end, by the rules of Go's `path.Clean`. */
export function cleanPath(path: string): string {
	const rooted = path.startsWith("/");
	const parts: string[] = [];
	for (const part of path.split("/")) {
		if (part === "" || part === ".") continue;
		if (part !== "..") parts.push(part);
		else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
		else if (!rooted) parts.push("..");
	}
	const cleaned = (rooted ? "/" : "") + parts.join("/");
	return cleaned === "" ? "." : cleaned;
}
