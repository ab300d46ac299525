/**
 * Words of an instruction: quotes, escapes and `$variables`, by the rules of BuildKit's shell lexer, which are close to a shell's but not
 * a shell's. In short: 'single quotes' keep everything; in "double quotes" the escape character escapes `"`, `$` and itself; outside it
 * escapes anything; at the end it vanishes.
 */
import { characterAt, isDigit, isNameCharacter, isSpace } from "./characters.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { removePrefix, removeSuffix, replacePattern } from "./glob-substitution.ts";
import type { EscapeCharacter } from "./syntax.ts";

/** Where the values of variables come from. */
export interface Variables {
	/** Undefined when it is not set, which differs from empty. */
	get(name: string): string | undefined;
	/** Every name that is set, to suggest one. */
	names(): Iterable<string>;
}

export interface ExpansionOptions {
	readonly escape?: EscapeCharacter;
	/** Quotes stay in the result. */
	readonly keepQuotes?: boolean;
	/** Escape characters stay in the result. */
	readonly keepEscapes?: boolean;
	/** Quotes are characters as any other, as in the text of a heredoc. */
	readonly plainQuotes?: boolean;
	/** What names a variable that is not set stays as it is. */
	readonly keepUnset?: boolean;
}

export interface Expansion {
	readonly text: string;
	/** The text at white space outside of quotes; white space in the value of a variable counts, empty words do not. */
	readonly words: readonly string[];
	/** Names of variables that were read and set. */
	readonly matched: ReadonlySet<string>;
	/** Names of variables that were read and not set. */
	readonly unmatched: ReadonlySet<string>;
}

/** `${` within `${`. */
const DEPTH_LIMIT = 200;
/** Characters a word may grow to; no process could be given more than a part of that. */
const SIZE_LIMIT = 1024 * 1024;
const SPECIAL_PARAMETERS = "@*#?-$!0";
export const NO_VARIABLES: Variables = { get: () => undefined, names: () => [] };

/** @throws DockerfileError without a place: unbalanced quotes or braces, `${x:?}` of a variable that is not set, and the like */
export function expandWord(word: string, variables: Variables, options: ExpansionOptions = {}): Expansion {
	return new Expander(word, variables, options).run();
}

/** Splits into words as the text grows. */
class WordSplitter {
	readonly words: string[] = [];
	#word = "";

	/** Characters that may be white space between words. */
	add(text: string): void {
		let from = 0;
		for (let index = 0; index < text.length; index++)
			if (isSpace(text[index] ?? "")) {
				this.#word += text.slice(from, index);
				this.end();
				from = index + 1;
			}
		this.#word += text.slice(from);
	}

	addQuoted(text: string): void {
		this.#word += text;
	}

	end(): void {
		if (this.#word !== "") this.words.push(this.#word);
		this.#word = "";
	}
}

class Expander {
	readonly #text: string;
	readonly #variables: Variables;
	readonly #options: ExpansionOptions;
	readonly #escape: EscapeCharacter;
	readonly #matched = new Set<string>();
	readonly #unmatched = new Set<string>();
	#at = 0;
	#depth = 0;
	#keepEscapes: boolean;

	constructor(text: string, variables: Variables, options: ExpansionOptions) {
		this.#text = text;
		this.#variables = variables;
		this.#options = options;
		this.#escape = options.escape ?? "\\";
		this.#keepEscapes = options.keepEscapes ?? false;
	}

	run(): Expansion {
		const splitter = new WordSplitter();
		const text = this.#untilStop("", splitter);
		splitter.end();
		return { text, words: splitter.words, matched: this.#matched, unmatched: this.#unmatched };
	}

	/** Up to the stop character, which is consumed; "" is the end of the text. */
	#untilStop(stop: string, splitter?: WordSplitter): string {
		let result = "";
		for (;;) {
			const character = this.#text[this.#at];
			if (character === undefined) {
				if (stop === "") return result;
				throw this.#problem(stop === "}" ? "missing '}'" : `missing '${stop}' in \${}`);
			}
			if (character === stop) {
				this.#at++;
				return result;
			}
			const before = result.length;
			if (character === "$") {
				const value = this.#dollar();
				splitter?.add(value);
				result += value;
			} else if ((character === "'" || character === '"') && this.#options.plainQuotes !== true) {
				const value = character === "'" ? this.#singleQuotes() : this.#doubleQuotes();
				splitter?.addQuoted(value);
				result += value;
			} else if (character === "<") {
				const value = this.#heredocOperator();
				splitter?.addQuoted(value);
				result += value;
			} else if (character === this.#escape) {
				const value = this.#escaped();
				splitter?.addQuoted(value);
				result += value;
			} else {
				const value = this.#plain(stop);
				splitter?.add(value);
				result += value;
			}
			if (result.length !== before) this.#checkSize(result);
		}
	}

	/** A run of characters that mean nothing. */
	#plain(stop: string): string {
		const start = this.#at++;
		for (; this.#at < this.#text.length; this.#at++) {
			const character = this.#text[this.#at] ?? "";
			if (character === stop || "$'\"<".includes(character) || character === this.#escape) break;
		}
		return this.#text.slice(start, this.#at);
	}

	/** Outside of quotes: the character behind the escape, whatever it is; at the end nothing. */
	#escaped(): string {
		this.#at++;
		const character = characterAt(this.#text, this.#at);
		this.#at += character.length;
		return this.#keepEscapes ? this.#escape + character : character;
	}

	/** `<<` takes white space behind it into the word, so that `<< EOF` is one. */
	#heredocOperator(): string {
		const start = this.#at++;
		if (this.#text[this.#at] !== "<") return "<";
		this.#at++;
		while (" \t\r".includes(this.#text[this.#at] ?? "none")) this.#at++;
		return this.#text.slice(start, this.#at);
	}

	#singleQuotes(): string {
		const end = this.#text.indexOf("'", this.#at + 1);
		if (end < 0) throw this.#problem("a single quote has no partner");
		const inner = this.#text.slice(this.#at + 1, end);
		this.#at = end + 1;
		return this.#options.keepQuotes === true ? `'${inner}'` : inner;
	}

	#doubleQuotes(): string {
		this.#at++;
		let result = "";
		for (;;) {
			const character = this.#text[this.#at];
			if (character === undefined) throw this.#problem("a double quote has no partner");
			if (character === '"') break;
			if (character === "$") result += this.#dollar();
			else if (character === this.#escape) result += this.#escapedInQuotes();
			else {
				const start = this.#at++;
				while (this.#at < this.#text.length && !this.#endsQuotedRun()) this.#at++;
				result += this.#text.slice(start, this.#at);
			}
			this.#checkSize(result);
		}
		this.#at++;
		return this.#options.keepQuotes === true ? `"${result}"` : result;
	}

	#endsQuotedRun(): boolean {
		const character = this.#text[this.#at] ?? "";
		return character === '"' || character === "$" || character === this.#escape;
	}

	#escapedInQuotes(): string {
		this.#at++;
		const next = this.#text[this.#at];
		const kept = this.#keepEscapes ? this.#escape : "";
		if (next === undefined) return kept;
		if (next !== '"' && next !== "$" && next !== this.#escape) return kept + this.#escape;
		this.#at++;
		return kept + next;
	}

	#dollar(): string {
		this.#at++;
		if (this.#text[this.#at] === "{") return this.#braced();
		const name = this.#name();
		if (name === "") return "$";
		const value = this.#read(name);
		return value === undefined && this.#options.keepUnset === true ? `$${name}` : (value ?? "");
	}

	#braced(): string {
		if (++this.#depth > DEPTH_LIMIT) throw this.#problem("variables are nested too deeply");
		this.#at++;
		const first = this.#text[this.#at];
		if (first === undefined) throw this.#problem("missing '}'");
		if ("{}:".includes(first)) throw this.#problem("a substitution without a name");
		const name = this.#name();
		const result = this.#modified(name);
		this.#depth--;
		return result;
	}

	/** What follows the name in `${name…}`. */
	#modified(name: string): string {
		let operator = this.#next();
		if (operator === "}") {
			const value = this.#read(name);
			return value === undefined && this.#options.keepUnset === true ? `\${${name}}` : (value ?? "");
		}
		if (operator === "/") return this.#replaced(name);
		const emptyIsUnset = operator === ":";
		if (emptyIsUnset) operator += this.#next();
		else if (operator === "" || !"+-?#%".includes(operator)) throw this.#unsupported(operator);
		if (operator === ":#" || operator === ":%") throw this.#unsupported(operator);
		const isPattern = operator === "#" || operator === "%";
		const word = isPattern ? this.#withEscapes("}") : this.#untilStop("}");
		const value = this.#read(name);
		if (value === undefined && this.#options.keepUnset === true) return `\${${name}${operator}${word}}`;
		const isSet = value !== undefined && (value !== "" || !emptyIsUnset);
		switch (operator.slice(-1)) {
			case "-":
				return isSet ? value : word;
			case "+":
				return isSet ? word : "";
			case "?":
				if (isSet) return value;
				throw this.#required(name, word, value === undefined);
			case "#":
				return removePrefix(value ?? "", ...longestBy("#", word));
			case "%":
				return removeSuffix(value ?? "", ...longestBy("%", word));
			default:
				throw this.#unsupported(operator);
		}
	}

	#replaced(name: string): string {
		const all = this.#text[this.#at] === "/";
		if (all) this.#at++;
		const pattern = this.#withEscapes("/");
		const replacement = this.#withEscapes("}");
		const value = this.#read(name);
		if (value === undefined && this.#options.keepUnset === true) return `\${${name}/${pattern}/${replacement}}`;
		return replacePattern(value ?? "", pattern, replacement, all);
	}

	/** Patterns have escapes of their own. */
	#withEscapes(stop: string): string {
		const before = this.#keepEscapes;
		this.#keepEscapes = true;
		const word = this.#untilStop(stop);
		this.#keepEscapes = before;
		return word;
	}

	#next(): string {
		const character = characterAt(this.#text, this.#at);
		this.#at += character.length;
		return character;
	}

	/** Letters, digits and `_`; or digits alone when it begins with one; or one special parameter; or "". */
	#name(): string {
		const first = characterAt(this.#text, this.#at);
		if (first === "") return "";
		const start = this.#at;
		if (isDigit(first)) this.#skip(isDigit);
		else if (SPECIAL_PARAMETERS.includes(first)) this.#at++;
		else this.#skip(isNameCharacter);
		return this.#text.slice(start, this.#at);
	}

	#skip(belongs: (character: string) => boolean): void {
		for (;;) {
			const character = characterAt(this.#text, this.#at);
			if (character === "" || !belongs(character)) return;
			this.#at += character.length;
		}
	}

	#read(name: string): string | undefined {
		const value = this.#variables.get(name);
		(value === undefined ? this.#unmatched : this.#matched).add(name);
		return value;
	}

	#checkSize(result: string): void {
		if (result.length > SIZE_LIMIT && result.length > this.#text.length)
			throw new DockerfileError({ reason: "a word grows too long by its variables" });
	}

	#required(name: string, message: string, unset: boolean): DockerfileError {
		const reason = message === "" ? `must ${unset ? "be set" : "not be empty"}` : message;
		return new DockerfileError({ reason: `${name}: ${reason}` });
	}

	#unsupported(operator: string): DockerfileError {
		return operator === "" ? this.#problem("missing '}'") : this.#problem(`unknown substitution "${operator}"`);
	}

	#problem(what: string): DockerfileError {
		return new DockerfileError({ reason: `cannot read "${shortened(this.#text)}": ${what}` });
	}
}

function longestBy(operator: string, pattern: string): [pattern: string, longest: boolean] {
	return pattern.startsWith(operator) ? [pattern.slice(1), true] : [pattern, false];
}

function shortened(text: string): string {
	return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
