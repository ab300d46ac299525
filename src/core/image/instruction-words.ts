/** Words of a Dockerfile instruction: quotes, backslashes and `$variables`, by the rules of the Dockerfile reference ("Environment replacement"). */
import { InvalidParameterError } from "../../base/errors.ts";

export type Variables = ReadonlyMap<string, string>;

/** `text` at white space outside of quotes, the quotes kept. */
export function splitWords(text: string): string[] {
	const words: string[] = [];
	let word = "";
	let quote = "";
	for (let index = 0; index < text.length; index++) {
		const character = text[index] ?? "";
		if (character === "\\" && quote !== "'") word += character + (text[++index] ?? "");
		else if (quote === "" && /\s/.test(character)) {
			if (word !== "") words.push(word);
			word = "";
		} else {
			if (character === quote) quote = "";
			else if (quote === "" && (character === '"' || character === "'")) quote = character;
			word += character;
		}
	}
	if (word !== "") words.push(word);
	return words;
}

/** Removes quotes and backslashes and puts variables in. @throws InvalidParameterError */
export function expandWord(word: string, variables: Variables): string {
	let result = "";
	let quote = "";
	for (let index = 0; index < word.length; index++) {
		const character = word[index] ?? "";
		if (character === quote) quote = "";
		else if (quote === "" && (character === '"' || character === "'")) quote = character;
		else if (character === "\\" && quote !== "'") {
			const next = word[++index] ?? "";
			result += quote === '"' && !'"$\\'.includes(next) ? `\\${next}` : next;
		} else if (character === "$" && quote !== "'") {
			const variable = readVariable(word.slice(index), variables);
			result += variable.value;
			index += variable.length - 1;
		} else result += character;
	}
	if (quote !== "") throw new InvalidParameterError("unexpected end of statement while looking for matching quote");
	return result;
}

function readVariable(text: string, variables: Variables): { readonly value: string; readonly length: number } {
	const plain = /^\$([A-Za-z_]\w*)/.exec(text);
	if (plain !== null) return { value: variables.get(plain[1] ?? "") ?? "", length: plain[0].length };
	if (!text.startsWith("${")) return { value: "$", length: 1 };
	const braced = /^\$\{([A-Za-z_]\w*)(?:(:?[-+])([^}]*))?\}/.exec(text);
	if (braced === null) throw new InvalidParameterError(`invalid variable expansion: ${text}`);
	const [whole, name = "", modifier = "", word = ""] = braced;
	const value = variables.get(name);
	const isSet = value !== undefined && (value !== "" || !modifier.startsWith(":"));
	const alternative = () => expandWord(word, variables);
	if (modifier.endsWith("+")) return { value: isSet ? alternative() : "", length: whole.length };
	if (modifier.endsWith("-")) return { value: isSet ? value : alternative(), length: whole.length };
	return { value: value ?? "", length: whole.length };
}

/** `["a", "b"]`, or undefined when it is no JSON list of texts. */
export function parseJsonList(text: string): string[] | undefined {
	if (!text.startsWith("[")) return undefined;
	try {
		const value: unknown = JSON.parse(text);
		return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
	} catch {
		// Not JSON: a command line that begins with a bracket.
		return undefined;
	}
}
