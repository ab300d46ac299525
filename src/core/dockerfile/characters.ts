/** Classes of characters as Go's `unicode` package has them, which is what BuildKit reads Dockerfiles with. */

/** White space, line ends included. */
export function isSpace(character: string): boolean {
	const code = character.charCodeAt(0);
	// Nearly every character is decided here; "" is none.
	if (code < 0x80) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
	return SPACE.test(character);
}

const SPACE = /^[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;
const NAME_CHARACTER = /^[\p{L}\p{Nd}_]$/u;
const DIGIT = /^\p{Nd}$/u;
const ASCII_NAME_CHARACTER = /^\w$/;

/** May stand in the name of a variable. */
export function isNameCharacter(character: string): boolean {
	return ASCII_NAME_CHARACTER.test(character) || NAME_CHARACTER.test(character);
}

export function isDigit(character: string): boolean {
	return DIGIT.test(character);
}

/** The character at an index, both halves of a surrogate pair; "" at the end. */
export function characterAt(text: string, index: number): string {
	const code = text.codePointAt(index);
	return code === undefined ? "" : code > 0xffff ? String.fromCodePoint(code) : (text[index] ?? "");
}

/** Where the text without leading white space begins. */
export function skipSpace(text: string, index = 0): number {
	while (index < text.length && isSpace(text[index] ?? "")) index++;
	return index;
}

export function trimSpace(text: string): string {
	const start = skipSpace(text);
	let end = text.length;
	while (end > start && isSpace(text[end - 1] ?? "")) end--;
	return text.slice(start, end);
}
