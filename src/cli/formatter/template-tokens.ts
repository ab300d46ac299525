/** The lexer of Go's text/template, as far as `--format` needs it. */
export type TokenKind =
	| "text"
	| "open"
	| "close"
	| "field"
	| "variable"
	| "word"
	| "string"
	| "number"
	| "dot"
	| "pipe"
	| "("
	| ")"
	| ","
	| "="
	| ":=";

export interface Token {
	kind: TokenKind;
	text: string;
	/** Offset in its template. */
	at: number;
	/** Does white space stand before it? `.A .B` and `.A.B` differ by that alone. */
	isSpaced: boolean;
}

export class TemplateError extends Error {
	constructor(
		message: string,
		readonly phase: "parse" | "execute",
	) {
		super(message);
		this.name = "TemplateError";
	}
}

export function parseError(source: string, at: number, message: string): TemplateError {
	const line = source.slice(0, at).split("\n").length;
	return new TemplateError(`template: :${line}: ${message}`, "parse");
}

const TRIM_LEFT = /[ \t\r\n]+$/;
const TRIM_RIGHT = /^[ \t\r\n]+/;

/** @throws TemplateError */
export function tokenize(source: string): Token[] {
	const tokens: Token[] = [];
	let at = 0;
	let trimNext = false;
	while (at < source.length) {
		const open = source.indexOf("{{", at);
		let text = source.slice(at, open < 0 ? source.length : open);
		if (trimNext) text = text.replace(TRIM_RIGHT, "");
		const isTrimming = open >= 0 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
		if (isTrimming) text = text.replace(TRIM_LEFT, "");
		if (text !== "") tokens.push({ kind: "text", text, at, isSpaced: false });
		if (open < 0) break;
		const comment = /^\{\{(?:- )?\/\*[\s\S]*?\*\/( -)?\}\}/.exec(source.slice(open));
		if (comment !== null) {
			trimNext = comment[1] !== undefined;
			at = open + comment[0].length;
			continue;
		}
		const end = tokenizeAction(source, open + (isTrimming ? 3 : 2), open, tokens);
		trimNext = end.isTrimming;
		at = end.at;
	}
	return tokens;
}

const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
	["field", /\.[\p{L}_][\p{L}\p{N}_]*/uy],
	["variable", /\$[\p{L}\p{N}_]*/uy],
	["number", /[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)/y],
	["word", /[\p{L}_][\p{L}\p{N}_]*/uy],
	["dot", /\./y],
	["pipe", /\|/y],
	["(", /\(/y],
	[")", /\)/y],
	[",", /,/y],
	[":=", /:=/y],
	["=", /=/y],
];

function tokenizeAction(
	source: string,
	start: number,
	open: number,
	tokens: Token[],
): { at: number; isTrimming: boolean } {
	tokens.push({ kind: "open", text: "{{", at: open, isSpaced: false });
	let at = start;
	for (;;) {
		const spaces = /[ \t\r\n]*/y;
		spaces.lastIndex = at;
		const isSpaced = (spaces.exec(source)?.[0].length ?? 0) > 0;
		at = spaces.lastIndex;
		if (at >= source.length) throw parseError(source, open, "unclosed action");
		const isTrimming = isSpaced && source.startsWith("-}}", at);
		if (isTrimming || source.startsWith("}}", at)) {
			tokens.push({ kind: "close", text: "}}", at, isSpaced });
			return { at: at + (isTrimming ? 3 : 2), isTrimming };
		}
		const token =
			source[at] === '"' || source[at] === "`" || source[at] === "'" ? quoted(source, at) : plain(source, at);
		tokens.push({ kind: token.kind, text: token.text, at, isSpaced });
		at = token.end;
	}
}

function plain(source: string, at: number): { kind: TokenKind; text: string; end: number } {
	for (const [kind, pattern] of PATTERNS) {
		pattern.lastIndex = at;
		const match = pattern.exec(source);
		if (match !== null) return { kind, text: match[0], end: at + match[0].length };
	}
	const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
	throw parseError(source, at, `unexpected ${JSON.stringify(character)} in command`);
}

const ESCAPES: Readonly<Record<string, string>> = {
	n: "\n",
	t: "\t",
	r: "\r",
	a: "\x07",
	b: "\b",
	f: "\f",
	v: "\v",
	"0": "\0",
};

function quoted(source: string, at: number): { kind: TokenKind; text: string; end: number } {
	const quote = source[at] ?? "";
	if (quote === "`") {
		const end = source.indexOf("`", at + 1);
		if (end < 0) throw parseError(source, at, "unterminated raw quoted string");
		return { kind: "string", text: source.slice(at + 1, end), end: end + 1 };
	}
	let text = "";
	for (let index = at + 1; index < source.length && source[index] !== "\n"; index++) {
		const character = source[index] ?? "";
		if (character === quote) {
			if (quote === "'") return { kind: "number", text: String(text.codePointAt(0) ?? 0), end: index + 1 };
			return { kind: "string", text, end: index + 1 };
		}
		if (character !== "\\") {
			text += character;
			continue;
		}
		const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(source.slice(index + 1));
		if (hex !== null) {
			text += String.fromCodePoint(Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? "0", 16));
			index += hex[0].length;
			continue;
		}
		index++;
		const escaped = source[index] ?? "";
		text += ESCAPES[escaped] ?? escaped;
	}
	throw parseError(source, at, quote === "'" ? "unterminated character constant" : "unterminated quoted string");
}
