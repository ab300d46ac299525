import { statSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import type { MountPlace } from "../../core/build/build-directories.ts";
import { parentOf } from "../../core/diff/archive-path.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import { resolveLinks } from "../linux/resolve-links.ts";
import { RootDirectory } from "../linux/root-directory.ts";

/** As `BuildFiles.mountStubs`. The OCI runtime would make the same, but the times of the directories around would change. */
export function mountStubs(rootPath: string, places: readonly MountPlace[]): Disposable {
	const made: string[] = [];
	using root = RootDirectory.open(rootPath);
	for (const { target, source } of places) {
		const path = resolveLinks(root, target).slice(1);
		if (path !== "") makeMissing(root, path, source === "" || statSync(source).isDirectory(), made);
	}
	return {
		[Symbol.dispose]: () => {
			if (made.length === 0) return;
			using again = RootDirectory.open(rootPath);
			for (const name of made.reverse()) removeIfEmpty(again, name);
		},
	};
}

function makeMissing(root: RootDirectory, path: string, isDirectory: boolean, made: string[]): void {
	const parts = path.split("/");
	for (let length = 1; length <= parts.length; length++) {
		const name = parts.slice(0, length).join("/");
		const bytes = encodePath(name);
		const status = root.statusIfExists(bytes);
		// A file where a directory ought to be: the runtime says so in its own words.
		if (status !== undefined && status.kind !== "directory") return;
		if (status !== undefined) continue;
		keepingTimes(root, parentOf(name), () => {
			if (length < parts.length || isDirectory) root.makeDirectory(bytes, 0o755);
			else closeDescriptor(root.openFile(bytes, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o644));
		});
		made.push(name);
	}
}

function removeIfEmpty(root: RootDirectory, name: string): void {
	const path = encodePath(name);
	const status = root.statusIfExists(path);
	const isEmptyFile = status?.kind === "file" && status.sizeBytes === 0;
	if (status?.kind !== "directory" && !isEmptyFile) return;
	try {
		keepingTimes(root, parentOf(name), () => (isEmptyFile ? root.unlink(path) : root.removeDirectory(path)));
	} catch (error) {
		// The step put something there.
		if (errnoCode(error) !== "ENOTEMPTY") throw error;
	}
}

function keepingTimes(root: RootDirectory, directory: string, work: () => void): void {
	const path = encodePath(directory === "" ? "." : directory);
	const { accessedNs, modifiedNs } = root.status(path);
	work();
	root.setTimes(path, accessedNs, modifiedNs);
}
