/**
 * `.dockerignore` and `--exclude`: an ordered list of patterns, the last that matches decides. Rules and quirks of moby's patternmatcher:
 * a pattern matches whole paths from the root of the context, a directory's match counts for all below it, `!` takes back, and a pattern
 * that begins with `**` and has no other wildcard is compared as a suffix, so that `**foo` matches `barfoo`.
 */
import { InvalidParameterError } from "../../base/errors.ts";
import { trimSpace } from "./characters.ts";
import { cleanPath, PathGlob } from "./path-glob.ts";

interface Pattern {
	/** Cleaned, without `!`. */
	readonly text: string;
	readonly isException: boolean;
	readonly matches: (path: string) => boolean;
}

/** What is known about a directory, for what is in it. */
export interface IgnoreMatch {
	readonly isIgnored: boolean;
	/** For each pattern, whether it matched here or above. */
	readonly byPattern: readonly boolean[];
}

/** The patterns of a `.dockerignore`, one for each line that is no comment. Slashes in front do not count. */
export function parseIgnoreFile(text: string | Uint8Array): string[] {
	const decoded = typeof text === "string" ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
	return decoded
		.replace(/^\ufeff/, "")
		.split("\n")
		.filter((line) => !line.startsWith("#"))
		.map(trimSpace)
		.filter((line) => line !== "")
		.map(normalised);
}

function normalised(line: string): string {
	const isException = line.startsWith("!");
	const pattern = isException ? trimSpace(line.slice(1)) : line;
	const cleaned = pattern === "" ? "" : cleanPath(pattern);
	return (isException ? "!" : "") + (cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned);
}

/** Patterns, compiled once. Paths are relative to the root, with slashes between names and none at the ends. */
export class IgnorePatterns {
	readonly #patterns: readonly Pattern[];
	readonly #directories = new Map<string, IgnoreMatch>();
	readonly #top: IgnoreMatch;
	/** Whether there is a `!` pattern. */
	readonly hasExceptions: boolean;

	/** @throws InvalidParameterError for a pattern that is none, and for `!` alone */
	constructor(patterns: readonly string[]) {
		this.#patterns = patterns
			.map(trimSpace)
			.filter((pattern) => pattern !== "")
			.map(compile);
		this.hasExceptions = this.#patterns.some(({ isException }) => isException);
		this.#top = { isIgnored: false, byPattern: this.#patterns.map(() => false) };
	}

	get isEmpty(): boolean {
		return this.#patterns.length === 0;
	}

	/** Cleaned; exceptions with their `!`. */
	get patterns(): readonly string[] {
		return this.#patterns.map(({ text, isException }) => (isException ? `!${text}` : text));
	}

	/**
	 * Whether a walk of the context leaves the path out. The answer for a directory is kept, so that a tree costs one look at each path.
	 * It can differ from `matches` when an exception names a directory and an earlier pattern only files in it.
	 */
	isIgnored(path: string): boolean {
		return path !== "" && path !== "." && this.matchBelow(path, this.#directory(parentOf(path))).isIgnored;
	}

	/** Whether the path, or what is in it when it is a directory, may be in the context. */
	includes(path: string): boolean {
		return !this.isIgnored(path);
	}

	/** Whether a walk has to look into a directory: it is not left out, or an exception may be in it. */
	mayIncludeBelow(directory: string): boolean {
		if (!this.isIgnored(directory)) return true;
		return this.#patterns.some(({ text, isException }) => isException && mayMatchBelow(text, directory));
	}

	/** Whether a pattern matches the path or a directory above it, each pattern by itself, the last one deciding. */
	matches(path: string): boolean {
		let isIgnored = false;
		for (const pattern of this.#patterns)
			if (pattern.isException === isIgnored && matchesHereOrAbove(pattern, path)) isIgnored = !pattern.isException;
		return isIgnored;
	}

	/** One step of a walk: what is known of a path from what is known of its directory. */
	matchBelow(path: string, directory: IgnoreMatch): IgnoreMatch {
		let isIgnored = false;
		const byPattern = this.#patterns.map((pattern, index) => {
			const matched =
				directory.byPattern[index] === true || (pattern.isException === isIgnored && pattern.matches(path));
			if (matched) isIgnored = !pattern.isException;
			return matched;
		});
		return { isIgnored, byPattern };
	}

	#directory(path: string): IgnoreMatch {
		if (path === "") return this.#top;
		const known = this.#directories.get(path);
		if (known !== undefined) return known;
		const match = this.matchBelow(path, this.#directory(parentOf(path)));
		this.#directories.set(path, match);
		return match;
	}
}

function matchesHereOrAbove(pattern: Pattern, path: string): boolean {
	if (pattern.matches(path)) return true;
	for (let slash = path.indexOf("/"); slash > 0; slash = path.indexOf("/", slash + 1))
		if (pattern.matches(path.slice(0, slash))) return true;
	return false;
}

/** Whether a pattern could match something in a directory, going by its first names. */
function mayMatchBelow(pattern: string, directory: string): boolean {
	const parts = pattern.split("/");
	for (const [index, name] of directory.split("/").entries()) {
		const part = parts[index];
		// All of the pattern is above or at the directory: it is decided.
		if (part === undefined || index === parts.length - 1) return part?.includes("**") === true;
		if (part.includes("**")) return true;
		if (!new PathGlob(part, { doubleStar: false }).matches(name)) return false;
	}
	return true;
}

function compile(line: string): Pattern {
	const cleaned = cleanPath(line);
	const isException = cleaned.startsWith("!");
	const text = isException ? cleaned.slice(1) : cleaned;
	if (text === "") throw new InvalidParameterError('illegal exclusion pattern: "!"');
	// Also checks the pattern's syntax.
	const glob = new PathGlob(text, { doubleStar: true });
	return { text, isException, matches: shortcut(text) ?? ((path) => glob.matches(path)) };
}

/** Patterns that are compared as text. */
function shortcut(pattern: string): ((path: string) => boolean) | undefined {
	if (!/[*?[\]\\]/.test(pattern)) return (path) => path === pattern;
	const suffix = pattern.slice(2);
	if (pattern.startsWith("**") && !/[*?[\]\\]/.test(suffix))
		return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
	const prefix = pattern.slice(0, -2);
	if (pattern.endsWith("**") && !/[*?[\]\\]/.test(prefix)) return (path) => path.startsWith(prefix);
	return undefined;
}

function parentOf(path: string): string {
	return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
