import type { FileSelection } from "../../core/build/build-directories.ts";
import { IgnorePatterns } from "../../core/dockerfile/ignore-patterns.ts";
import type { SourceItem } from "./source-items.ts";

/** What is left out below an item. `path` is relative to the tree, `inside` to the item (for a file that was named itself: its name). */
export class PathFilter {
	readonly #ignored: IgnorePatterns | undefined;
	readonly #excluded: IgnorePatterns | undefined;

	/** @returns undefined when nothing is left out */
	static of({ ignore, exclude }: Pick<FileSelection, "ignore" | "exclude">): PathFilter | undefined {
		return ignore.length + exclude.length === 0 ? undefined : new PathFilter(ignore, exclude);
	}

	private constructor(ignore: readonly string[], exclude: readonly string[]) {
		this.#ignored = ignore.length === 0 ? undefined : new IgnorePatterns(ignore);
		this.#excluded = exclude.length === 0 ? undefined : new IgnorePatterns(exclude);
	}

	/** Also of a directory: whether the walk need not look into it. */
	skips(path: string, inside: string, isDirectory: boolean): boolean {
		const leaves = (patterns: IgnorePatterns | undefined, name: string) =>
			patterns !== undefined && (isDirectory ? !patterns.mayIncludeBelow(name) : patterns.isIgnored(name));
		return leaves(this.#ignored, path) || (inside !== "" && leaves(this.#excluded, inside));
	}

	/** For a file that was named itself, patterns see its name. */
	skipsItem({ path, name, status }: SourceItem): boolean {
		const isDirectory = status.kind === "directory";
		if (path === "" && isDirectory) return false;
		return this.skips(path, isDirectory ? "" : (name.split("/").at(-1) ?? ""), isDirectory);
	}
}
