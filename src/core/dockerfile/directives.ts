/** `# escape=…`, `# syntax=…`, `# check=…` at the beginning of the file. */
import { commentText, isComment } from "./parser/logical-line.ts";
import type { Directive } from "./syntax.ts";

const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)$/;
const NAMES: readonly string[] = ["syntax", "escape", "check"] satisfies readonly Directive["name"][];

/** Undefined for a comment that is none, or an unknown name. */
export function parseDirective(line: string): Pick<Directive, "name" | "value"> | undefined {
	if (!isComment(line)) return undefined;
	return parseDirectiveText(commentText(line));
}

/** Of a comment without its `#`. */
export function parseDirectiveText(text: string): Pick<Directive, "name" | "value"> | undefined {
	const [, name = "", value = ""] = DIRECTIVE.exec(text) ?? [];
	const known = name.toLowerCase();
	return NAMES.includes(known) ? { name: known as Directive["name"], value: value.trimEnd() } : undefined;
}

/** What `check` asks for. */
export interface CheckOptions {
	readonly skip: "all" | readonly string[];
	readonly experimental: "all" | readonly string[];
	/** Warnings fail the build. */
	readonly error: boolean;
}

export const DEFAULT_CHECK: CheckOptions = { skip: [], experimental: [], error: false };

/** `skip=A,B;error=true;experimental=all`. Undefined, and the part that is wrong, when it cannot be read. */
export function parseCheckOptions(text: string): CheckOptions | { readonly invalid: string } {
	let options = DEFAULT_CHECK;
	if (text.trim() === "") return options;
	for (const part of text.split(";")) {
		const at = part.indexOf("=");
		const key = part.slice(0, Math.max(at, 0)).trim();
		const value = part.slice(at + 1).trim();
		if (key === "skip" || key === "experimental") options = { ...options, [key]: ruleNames(value) };
		else if (key === "error" && parseBoolean(value) !== undefined)
			options = { ...options, error: parseBoolean(value) === true };
		else return { invalid: part.trim() };
	}
	return options;
}

function ruleNames(value: string): "all" | string[] {
	return value === "all" ? "all" : value.split(",").map((name) => name.trim());
}

/** The words that Go reads as booleans. */
export function parseBoolean(text: string): boolean | undefined {
	if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
	return ["0", "f", "F", "false", "FALSE", "False"].includes(text) ? false : undefined;
}
