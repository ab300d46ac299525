/** A directory as a client lists it: stats in the order of a walk. */
import { createHash } from "node:crypto";
import type { MessageOf } from "../../../api/buildkit/message.ts";
import type { FILE_STAT } from "../../../api/buildkit/session.ts";
import { InvalidParameterError } from "../../../base/errors.ts";
import type { ContextEntry } from "../context-listing.ts";
import { kindOfMode, permissionsOfMode } from "./file-mode.ts";

export type FileStat = MessageOf<typeof FILE_STAT>;

/** As many as our own listings may have, in other words. */
const MAX_ENTRIES = 4_000_000;
/**
 * The client tells neither inode nor time of change. Anything but 0, which would stand for a file that cannot be relied upon. So here, as with
 * BuildKit, a file is the same when its size, permissions and time of modification are.
 */
const NO_INODE = 1n;

/** As the kernel's. */
const MAX_LINKS = 40;

/** What is listed, checked: every path is relative, without `.` and `..`, and lies in a directory that was listed before. */
export class FileListing {
	readonly entries: ContextEntry[] = [];
	/** By position in `entries`: the number by which the client knows the file. */
	readonly ids: number[] = [];
	readonly #kinds = new Map<string, ContextEntry>();
	readonly #hash = createHash("sha256");
	#count = 0;

	/** @throws InvalidParameterError for a path that cannot be */
	add(stat: FileStat): void {
		const id = this.#count++;
		if (this.#count > MAX_ENTRIES) throw new InvalidParameterError("the build context has too many files");
		const kind = kindOfMode(stat.mode);
		if (kind === undefined) return;
		const { path } = stat;
		const slash = path.lastIndexOf("/");
		const isPlaced = slash < 0 || this.#kinds.get(path.slice(0, slash))?.kind === "directory";
		if (!isPlaced || !isName(path.slice(slash + 1)) || this.#kinds.has(path))
			throw new InvalidParameterError(`unexpected path in the build context: ${JSON.stringify(path)}`);
		// A further name of a file listed before has that one's path in place of a size.
		const same = kind === "file" && stat.linkName !== "" ? this.#kinds.get(stat.linkName) : undefined;
		const entry: ContextEntry = {
			path,
			kind,
			permissions: kind === "symlink" ? 0o777 : permissionsOfMode(stat.mode),
			target: kind === "symlink" ? stat.linkName : "",
			device: deviceNumber(stat.deviceMajor, stat.deviceMinor),
			sizeBytes: kind === "file" ? (same?.sizeBytes ?? Math.max(stat.size, 0)) : 0,
			modifiedNs: stat.modifiedNs,
			changedNs: 0n,
			inode: NO_INODE,
		};
		this.entries.push(entry);
		this.ids.push(id);
		this.#kinds.set(path, entry);
		const { permissions, target, device, sizeBytes, modifiedNs } = entry;
		this.#hash.update(`${path}\0${kind} ${permissions} ${sizeBytes} ${modifiedNs} ${device} ${target}\0`);
	}

	/** What a path leads to, symlinks on its way followed inside of the directory; undefined when it is not listed. */
	resolve(path: string): ContextEntry | undefined {
		const { resolved, rest } = this.#follow(path);
		return rest.length > 0 ? undefined : this.#kinds.get(resolved.join("/"));
	}

	/**
	 * Where paths lead that go through symlinks and whose ends are not listed. Clients are asked for paths with what links in them lead to; but of
	 * several paths through one link they list what the first leads to. Patterns count as not listed.
	 */
	behindLinks(paths: readonly string[]): string[] {
		const known = new Set(paths);
		const found = paths.flatMap((path) => {
			const { resolved, rest, hasLinks } = this.#follow(path);
			const real = [...resolved, ...rest].join("/");
			return hasLinks && rest.length > 0 && !known.has(real) ? [real] : [];
		});
		return [...new Set(found)];
	}

	/** Follows a path as far as it is listed. */
	#follow(path: string): { resolved: string[]; rest: string[]; hasLinks: boolean } {
		const rest = path.split("/");
		const resolved: string[] = [];
		let links = 0;
		while (rest.length > 0) {
			const name = rest[0] ?? "";
			const entry = this.#kinds.get([...resolved, name].join("/"));
			if (name === "" || name === ".") rest.shift();
			else if (name === "..") {
				rest.shift();
				resolved.pop();
			} else if (entry === undefined) break;
			else if (entry.kind !== "symlink") {
				rest.shift();
				resolved.push(name);
			} else {
				if (++links > MAX_LINKS) break;
				if (entry.target.startsWith("/")) resolved.length = 0;
				rest.splice(0, 1, ...entry.target.split("/"));
			}
		}
		return { resolved, rest, hasLinks: links > 0 && links <= MAX_LINKS };
	}

	/** Equal for equal listings. Ends the listing. */
	digest(): string {
		return this.#hash.digest("hex");
	}
}

function isName(name: string): boolean {
	return name !== "" && name !== "." && name !== ".." && !name.includes("\0");
}

/** As stat(2) has it. */
function deviceNumber(major: number, minor: number): number {
	return ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & 0xfff00) << 12);
}
