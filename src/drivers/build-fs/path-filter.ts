import type { FileSelection } from "../../core/build/build-directories.ts";
import type { SourceItem } from "./source-items.ts";

/** Whether something below an item is left out. @param path relative to the tree. @param inside relative to the item; its name for a file */
export type PathFilter = (path: string, inside: string) => boolean;

/** Builds the test for both kinds of patterns; matchers are compiled once. */
export function pathFilter(
	selection: Pick<FileSelection, "ignore" | "exclude">,
	compile: (patterns: readonly string[]) => (path: string) => boolean,
): PathFilter | undefined {
	if (selection.ignore.length + selection.exclude.length === 0) return undefined;
	const ignored = selection.ignore.length === 0 ? undefined : compile(selection.ignore);
	const excluded = selection.exclude.length === 0 ? undefined : compile(selection.exclude);
	return (path, inside) => ignored?.(path) === true || (inside !== "" && excluded?.(inside) === true);
}

/** For a file that was named itself, patterns see its name. */
export function isItemLeftOut(filter: PathFilter | undefined, { path, name, status }: SourceItem): boolean {
	return filter?.(path, status.kind === "directory" ? "" : (name.split("/").at(-1) ?? "")) === true;
}
