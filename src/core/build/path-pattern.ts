/** Wildcards of COPY and ADD sources: Go's filepath.Match, one path component at a time. */
import { InvalidParameterError } from "../../base/errors.ts";

export function hasWildcard(pattern: string): boolean {
	return /[*?[\\]/.test(pattern);
}

/** A matcher for one name. @throws InvalidParameterError for a pattern that is none */
export function nameMatcher(pattern: string): (name: string) => boolean {
	const expression = new RegExp(`^${translate(pattern)}$`, "su");
	return (name) => expression.test(name);
}

function translate(pattern: string): string {
	let result = "";
	for (let index = 0; index < pattern.length; index++) {
		const character = pattern[index] ?? "";
		if (character === "*") result += "[^/]*";
		else if (character === "?") result += "[^/]";
		else if (character === "[") {
			const end = classEnd(pattern, index);
			result += translateClass(pattern.slice(index + 1, end));
			index = end;
		} else if (character === "\\") result += escaped(pattern[++index] ?? fault(pattern));
		else result += escaped(character);
	}
	return result;
}

function classEnd(pattern: string, start: number): number {
	for (let index = start + 1; index < pattern.length; index++) {
		if (pattern[index] === "\\") index++;
		else if (pattern[index] === "]" && index > start + 1) return index;
	}
	return fault(pattern);
}

function translateClass(body: string): string {
	const negated = body.startsWith("^");
	let result = "";
	for (const [, quoted, plain = ""] of body.slice(negated ? 1 : 0).matchAll(/\\(.)|([\s\S])/g))
		result += quoted === undefined && plain === "-" ? "-" : (quoted ?? plain).replace(/[\\\]^[-]/, "\\$&");
	return `[${negated ? "^" : ""}${result}]`;
}

function escaped(character: string): string {
	return character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
}

function fault(pattern: string): never {
	throw new InvalidParameterError(`syntax error in pattern: ${pattern}`);
}
