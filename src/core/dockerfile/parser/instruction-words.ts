/** The parts of an instruction's text: keyword, flags, words, JSON lists. Nothing is expanded here. */
import { isSpace, skipSpace } from "../characters.ts";
import type { CommandLine, EscapeCharacter } from "../syntax.ts";

/** A part of the text and where it stands in it. */
export interface Word {
	readonly text: string;
	readonly start: number;
	readonly end: number;
}

export interface SplitInstruction {
	readonly keyword: Word;
	/** With their dashes, without quotes and escapes. */
	readonly flags: readonly Word[];
	/** What follows, trimmed. */
	readonly rest: Word;
}

/** Between words. Line ends cannot occur, and other white space does not separate. */
const SEPARATOR = /[\t\v\f\r ]+/;

export function splitInstruction(line: string, escapeCharacter: EscapeCharacter): SplitInstruction {
	const start = skipSpace(line);
	let end = line.length;
	while (end > start && isSpace(line[end - 1] ?? "")) end--;
	const gap = SEPARATOR.exec(line.slice(start, end));
	const keywordEnd = gap === null ? end : start + gap.index;
	const keyword = { text: line.slice(start, keywordEnd), start, end: keywordEnd };
	const { flags, at } = takeFlags(line, gap === null ? end : keywordEnd + gap[0].length, end, escapeCharacter);
	const restStart = Math.min(skipSpace(line, at), end);
	return { keyword, flags, rest: { text: line.slice(restStart, end), start: restStart, end } };
}

/** Words that begin with `--`, up to one that does not or is `--` itself. */
function takeFlags(
	line: string,
	from: number,
	end: number,
	escapeCharacter: EscapeCharacter,
): { flags: Word[]; at: number } {
	const flags: Word[] = [];
	let at = from;
	for (;;) {
		at = Math.min(skipSpace(line, at), end);
		if (!line.startsWith("--", at) || at + 2 > end) return { flags, at };
		const word = takeUnquoted(line, at, end, escapeCharacter);
		at = word.end;
		if (word.text === "--") return { flags, at };
		flags.push(word);
	}
}

/** One word, without its quotes and escapes. */
function takeUnquoted(line: string, start: number, end: number, escapeCharacter: EscapeCharacter): Word {
	let quote = "";
	let at = start;
	let text = "";
	for (; at < end; at++) {
		const character = line[at] ?? "";
		if (character === escapeCharacter) text += ++at < end ? (line[at] ?? "") : "";
		else if (quote !== "") {
			if (character === quote) quote = "";
			else text += character;
		} else if (isSpace(character)) break;
		else if (character === '"' || character === "'") quote = character;
		else text += character;
	}
	return { text, start, end: Math.min(at, end) };
}

/** At white space outside of quotes; quotes and escapes are kept. Of `ENV`, `LABEL` and `ARG`. */
export function quotedWords(rest: Word, escapeCharacter: EscapeCharacter): Word[] {
	const { text } = rest;
	const words: Word[] = [];
	let start = -1;
	let quote = "";
	let dropped = false;
	const finish = (at: number) => {
		const word = text.slice(start, dropped ? at - 1 : at);
		if (word !== "") words.push({ text: word, start: rest.start + start, end: rest.start + at });
		start = -1;
	};
	let at = 0;
	for (; at < text.length; at++) {
		const character = text[at] ?? "";
		if (start < 0) {
			if (isSpace(character)) continue;
			start = at;
		}
		if (quote === "" && isSpace(character)) finish(at);
		else if (character === escapeCharacter && quote !== "'") {
			// Behind it nothing is special; at the end of the line it is nothing itself.
			dropped = at + 1 === text.length;
			at++;
		} else if (quote === "" && (character === '"' || character === "'")) quote = character;
		else if (character === quote) quote = "";
	}
	if (start >= 0) finish(text.length);
	return words;
}

/** At white space, quotes or not. Of `FROM`, `EXPOSE`, `COPY`, `ADD` and `VOLUME`. */
export function plainWords(rest: Word): Word[] {
	const words: Word[] = [];
	for (const match of rest.text.matchAll(/[^\t\v\f\r ]+/g))
		words.push({ text: match[0], start: rest.start + match.index, end: rest.start + match.index + match[0].length });
	return words;
}

/** The first word, and the rest without the white space before it. */
export function firstWord(rest: Word): { readonly first: Word; readonly rest: Word } {
	let end = 0;
	while (end < rest.text.length && !isSpace(rest.text[end] ?? "")) end++;
	const next = skipSpace(rest.text, end);
	return {
		first: { text: rest.text.slice(0, end), start: rest.start, end: rest.start + end },
		rest: { text: rest.text.slice(next), start: rest.start + next, end: rest.end },
	};
}

/** Undefined when the text is no JSON list, "not texts" when it is one with something else than texts in it. */
export function parseJsonList(text: string): string[] | "not texts" | undefined {
	if (!text.startsWith("[")) return undefined;
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		// A command line that begins with a bracket: `[ -e /x ] && …`.
		return undefined;
	}
	if (!Array.isArray(value)) return undefined;
	return value.every((item) => typeof item === "string") ? value : "not texts";
}

/** A command in exec or shell form. */
export function parseCommandLine(text: string): CommandLine | "not texts" {
	const list = parseJsonList(text);
	if (list === "not texts") return list;
	return list === undefined ? { form: "shell", line: text } : { form: "exec", arguments: list };
}
