import { IgnorePatterns } from "../dockerfile/ignore-patterns.ts";
import { cleanPath, PathGlob } from "../dockerfile/path-glob.ts";
import type { ContextSelection } from "./context.ts";

/** Which files of a context are sent. Paths are relative to the context, without slashes at their ends. */
export interface ContextFilter {
	/** Whether the file, or the directory itself, is one of them. */
	includes(path: string): boolean;
	/** Whether something in the directory may be, so that it has to be looked into. */
	mayIncludeBelow(path: string): boolean;
}

export const WHOLE_CONTEXT: ContextFilter = { includes: () => true, mayIncludeBelow: () => true };

/** What a selection takes: everything its patterns match and what is below, less what the exclusions leave out. */
export function selectionFilter({ include, exclude }: ContextSelection): ContextFilter {
	const wanted = includeFilter(include);
	if (exclude.length === 0) return wanted;
	const ignored = new IgnorePatterns(exclude);
	if (wanted === WHOLE_CONTEXT) return ignored;
	return {
		includes: (path) => wanted.includes(path) && ignored.includes(path),
		mayIncludeBelow: (path) => wanted.mayIncludeBelow(path) && ignored.mayIncludeBelow(path),
	};
}

/** Patterns of COPY and ADD sources, a name at a time. */
function includeFilter(patterns: readonly string[]): ContextFilter {
	const cleaned = patterns.map((pattern) => cleanPath(`/${pattern}`).slice(1));
	if (cleaned.length === 0 || cleaned.includes("")) return WHOLE_CONTEXT;
	const globs = cleaned.map((pattern) => pattern.split("/").map(nameMatcher));
	/** How a path stands to a pattern: the names they share match. */
	const agrees = (glob: readonly NameMatcher[], names: readonly string[]) =>
		names.every((name, index) => glob[index]?.(name) ?? true);
	return {
		includes(path) {
			const names = path.split("/");
			return globs.some((glob) => glob.length <= names.length && agrees(glob, names));
		},
		mayIncludeBelow(path) {
			const names = path.split("/");
			return globs.some((glob) => agrees(glob, names));
		},
	};
}

type NameMatcher = (name: string) => boolean;

function nameMatcher(pattern: string): NameMatcher {
	if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern;
	const glob = new PathGlob(pattern, { doubleStar: false });
	return (name) => glob.matches(name);
}
