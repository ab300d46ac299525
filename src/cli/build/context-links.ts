import { readlinkSync } from "node:fs";
import { posix } from "node:path";
import { errnoCode } from "../../base/errors.ts";

/** As many as the kernel follows. */
const MAX_LINKS = 40;

/**
 * The patterns, and for those that go through symlinks of the context these and where they lead, so that what COPY follows on the other
 * side is there. The context's directory acts as `/`. Names with wildcards are not followed, nor is what comes behind them.
 */
export function followLinks(root: string, include: readonly string[]): string[] {
	const followed = new Set(include);
	for (const pattern of include) {
		let path = posix.join("/", pattern);
		for (let count = 0; count < MAX_LINKS; count++) {
			const next = followFirstLink(root, path);
			if (next === undefined) break;
			followed.add(next.link);
			path = next.path;
			followed.add(path.slice(1) || ".");
		}
	}
	return [...followed];
}

/** The path with the first symlink in it replaced; undefined when it has none. */
function followFirstLink(root: string, path: string): { link: string; path: string } | undefined {
	const names = path.split("/").filter(Boolean);
	for (let count = 1; count <= names.length; count++) {
		if (/[*?[\\]/.test(names[count - 1] ?? "")) return undefined;
		const link = names.slice(0, count).join("/");
		const target = readLink(`${root}/${link}`);
		if (target === undefined) continue;
		const from = target.startsWith("/") ? "" : posix.dirname(link);
		return { link, path: posix.join("/", from, target, ...names.slice(count)) };
	}
	return undefined;
}

/** Undefined for what is no symlink. */
function readLink(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch (error) {
		const code = errnoCode(error);
		if (code === "EINVAL" || code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "ELOOP")
			return undefined;
		throw error;
	}
}
