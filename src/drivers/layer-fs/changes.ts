import type { FilesystemChange } from "../../api/engine/container.ts";
import { Pacer } from "../../base/pacer.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { compareTrees } from "./compare-trees.ts";

const KINDS = { modified: 0, added: 1, deleted: 2 } as const;

export async function changesOf(
	upper: string,
	lowers: readonly string[],
	wholeTree: boolean,
): Promise<FilesystemChange[]> {
	using roots = openRoots(upper, lowers);
	const options = { wholeTree, everyFile: false, directoryTimes: false, pacer: new Pacer() };
	const changes = await compareTrees(roots.upper, roots.lowers, options);
	return changes
		.map(({ path, kind }) => ({ Path: `/${path}`, Kind: KINDS[kind] }))
		.sort((a, b) => (a.Path < b.Path ? -1 : a.Path > b.Path ? 1 : 0));
}

export interface OpenRoots extends Disposable {
	readonly upper: RootDirectory;
	readonly lowers: readonly RootDirectory[];
}

export function openRoots(upper: string, lowers: readonly string[]): OpenRoots {
	const stack = new DisposableStack();
	try {
		const open = (path: string) => stack.use(RootDirectory.open(path));
		const roots = { upper: open(upper), lowers: lowers.map(open) };
		const owned = stack.move();
		return { ...roots, [Symbol.dispose]: () => owned.dispose() };
	} finally {
		stack.dispose();
	}
}
