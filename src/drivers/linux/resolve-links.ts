import { decodePath, encodePath } from "../../core/diff/path-text.ts";
import type { RootDirectory } from "./root-directory.ts";

const LINK_LIMIT = 255;

/** Where a path ends after all symlinks, inside the root; what does not exist is taken as it stands. Begins with a slash. */
export function resolveLinks(root: RootDirectory, path: string): string {
	const done: string[] = [];
	const pending = path.split("/").reverse();
	let links = 0;
	for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
		if (part === "" || part === ".") continue;
		if (part === "..") {
			done.pop();
			continue;
		}
		const here = `/${[...done, part].join("/")}`;
		const status = root.statusIfExists(encodePath(here));
		if (status?.kind !== "symlink" || ++links > LINK_LIMIT) {
			done.push(part);
			continue;
		}
		const target = decodePath(root.readLink(encodePath(here)));
		if (target.startsWith("/")) done.length = 0;
		pending.push(...target.split("/").reverse());
	}
	return `/${done.join("/")}`;
}
