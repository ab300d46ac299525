import { parentOf } from "../../core/diff/archive-path.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import { whiteoutName } from "../../core/diff/whiteout.ts";
import { openRoots } from "./changes.ts";
import { compareTrees } from "./compare-trees.ts";
import { Pacer } from "./pacer.ts";
import { TreeTar } from "./tree-tar.ts";

/** A layer's tar of what a container changed, with OCI whiteouts. The same changes always give the same bytes. */
export async function* diffTar(
	upper: string,
	lowers: readonly string[],
	wholeTree: boolean,
): AsyncGenerator<Uint8Array> {
	using roots = openRoots(upper, lowers);
	const options = { wholeTree, everyFile: !wholeTree, pacer: new Pacer() };
	const tar = new TreeTar(roots.upper);
	for (const { path, status } of await compareTrees(roots.upper, roots.lowers, options)) {
		if (status !== undefined) yield* tar.member(path, path, status);
		else if (parentOf(path) === "" || roots.upper.statusIfExists(encodePath(parentOf(path)))?.kind === "directory")
			yield* tar.marker(whiteoutName(path), 0n);
	}
	yield* tar.finish();
}
