/** Reader of /proc/<pid>/mountinfo (Documentation/filesystems/proc.rst, 3.5). Pure but for `readMountInfo`. */
import { readFileSync } from "node:fs";

export interface MountEntry {
	readonly id: number;
	readonly parentId: number;
	/** `major:minor` of the file system. */
	readonly device: string;
	/** Which directory of the file system is mounted. */
	readonly root: string;
	readonly mountPoint: string;
	/** Options of this mount: `ro`, `nosuid`, … */
	readonly options: readonly string[];
	readonly propagation: {
		/** Peer group when shared. */
		readonly shared?: number;
		/** Peer group it receives from when it is a slave. */
		readonly master?: number;
		readonly unbindable: boolean;
	};
	readonly fsType: string;
	readonly source: string;
	/** Options of the file system itself. */
	readonly superOptions: readonly string[];
}

export function parseMountInfo(text: string): MountEntry[] {
	const entries: MountEntry[] = [];
	for (const line of text.split("\n")) {
		const entry = parseLine(line);
		if (entry !== undefined) entries.push(entry);
	}
	return entries;
}

function parseLine(line: string): MountEntry | undefined {
	const fields = line.split(" ");
	const separator = fields.indexOf("-", 6);
	const [id, parentId, device, root, mountPoint, options] = fields;
	if (separator < 0 || options === undefined || mountPoint === undefined || root === undefined) return undefined;
	return {
		id: Number(id),
		parentId: Number(parentId),
		device: device ?? "",
		root: unescapePath(root),
		mountPoint: unescapePath(mountPoint),
		options: options.split(","),
		propagation: parsePropagation(fields.slice(6, separator)),
		fsType: fields[separator + 1] ?? "",
		source: unescapePath(fields[separator + 2] ?? ""),
		superOptions: (fields[separator + 3] ?? "").split(","),
	};
}

function parsePropagation(tags: readonly string[]): MountEntry["propagation"] {
	const numberOf = (name: string) => {
		const tag = tags.find((candidate) => candidate.startsWith(`${name}:`));
		return tag === undefined ? undefined : Number(tag.slice(name.length + 1));
	};
	const shared = numberOf("shared");
	const master = numberOf("master");
	return {
		...(shared !== undefined && { shared }),
		...(master !== undefined && { master }),
		unbindable: tags.includes("unbindable"),
	};
}

/** Space, tab, newline and backslash are written as three octal digits; the bytes may be part of a UTF-8 sequence. */
function unescapePath(text: string): string {
	return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export function readMountInfo(pid: number | "self" = "self"): MountEntry[] {
	return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
}

/** Mounts at `directory` or below it, deepest and latest first: the order in which they can be unmounted. */
export function mountsUnder(entries: readonly MountEntry[], directory: string): MountEntry[] {
	const prefix = directory.endsWith("/") ? directory : `${directory}/`;
	return entries.filter((entry) => entry.mountPoint === directory || entry.mountPoint.startsWith(prefix)).reverse();
}

/** The mount that holds `path`: the longest mount point that is a prefix of it, the latest of several at one place. */
export function mountOf(entries: readonly MountEntry[], path: string): MountEntry | undefined {
	let best: MountEntry | undefined;
	for (const entry of entries) {
		const prefix = entry.mountPoint === "/" ? "/" : `${entry.mountPoint}/`;
		if (path !== entry.mountPoint && !path.startsWith(prefix)) continue;
		if (best === undefined || entry.mountPoint.length >= best.mountPoint.length) best = entry;
	}
	return best;
}

export function isMountPoint(path: string, entries: readonly MountEntry[] = readMountInfo()): boolean {
	return entries.some((entry) => entry.mountPoint === path);
}
