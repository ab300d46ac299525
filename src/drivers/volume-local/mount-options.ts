import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import { parseBytes } from "../../base/units.ts";
import { MS, type Propagation } from "../linux/mount.ts";

type Options = Readonly<Record<string, string>>;

/** What is mounted for a volume with driver options. */
export interface OptionMount {
	readonly type: string;
	readonly device: string;
	/** Flags of mount(2). */
	readonly flags: number;
	readonly propagation: readonly { readonly kind: Propagation; readonly recursive: boolean }[];
	/** Options of the file system itself, comma-separated. */
	readonly data: string;
	/** All of them in words, as mount(8) takes them. */
	readonly words: string;
}

/** mount(2) flags that only volumes ask for. */
const SYNCHRONOUS = 0x10;
const MANDATORY_LOCKS = 0x40;
const DIRSYNC = 0x80;
const NODIRATIME = 0x800;
const KNOWN = ["type", "o", "device", "size"];
/** File systems that a volume of limited size can be made of, in a file. */
const DISK_TYPES = ["ext4", "xfs", "btrfs"];
/** Words of `o` that are flags of mount(2) and not data of the file system: [flags to set, flags to clear]. */
const FLAGS = new Map<string, readonly [number, number]>(
	Object.entries({
		defaults: [0, 0],
		ro: [MS.RDONLY, 0],
		rw: [0, MS.RDONLY],
		nosuid: [MS.NOSUID, 0],
		suid: [0, MS.NOSUID],
		nodev: [MS.NODEV, 0],
		dev: [0, MS.NODEV],
		noexec: [MS.NOEXEC, 0],
		exec: [0, MS.NOEXEC],
		sync: [SYNCHRONOUS, 0],
		async: [0, SYNCHRONOUS],
		dirsync: [DIRSYNC, 0],
		mand: [MANDATORY_LOCKS, 0],
		nomand: [0, MANDATORY_LOCKS],
		noatime: [MS.NOATIME, 0],
		atime: [0, MS.NOATIME],
		nodiratime: [NODIRATIME, 0],
		diratime: [0, NODIRATIME],
		relatime: [MS.RELATIME, 0],
		norelatime: [0, MS.RELATIME],
		strictatime: [MS.STRICTATIME, 0],
		nostrictatime: [0, MS.STRICTATIME],
		bind: [MS.BIND, 0],
		rbind: [MS.BIND | MS.REC, 0],
	}),
);
const PROPAGATION = /^(r?)(private|shared|slave|unbindable)$/;

/** A volume whose files lie in a file system of its own, in a file: the size of one that names a `type` but no `device`. */
export function diskOf({ type = "", device, size = "" }: Options): { type: string; sizeBytes: number } | undefined {
	if (device !== undefined || !DISK_TYPES.includes(type) || size === "") return undefined;
	return { type, sizeBytes: parseBytes(size) };
}

/** The limit of a plain volume, 0 for none. */
export function quotaOf(options: Options): number {
	return options["size"] === undefined || options["type"] !== undefined ? 0 : parseBytes(options["size"]);
}

/**
 * @param hasQuota whether the volumes' file system can limit directories
 * @throws InvalidParameterError as the `local` driver words it
 */
export function checkVolumeOptions(name: string, options: Options, hasQuota: () => boolean): void {
	const fail = (why: string) => new InvalidParameterError(`create ${name}: ${why}`);
	for (const key of Object.keys(options)) if (!KNOWN.includes(key)) throw fail(`invalid option: "${key}"`);
	const { type, device, o, size } = options;
	if (type === "cifs" && device !== undefined && /^(?:[a-z]+:)?\/\/[^/]*:\d+(?:\/|$)/.test(device))
		throw fail("port not allowed in CIFS device URL, include 'port' in 'o='");
	const sizeBytes = size === undefined ? 0 : parseSize(size, fail);
	const disk = sizeBytes > 0 && diskOf(options) !== undefined;
	if (sizeBytes > 0 && device !== undefined)
		throw fail("the size of what a device holds cannot be limited (a tmpfs takes its own in 'o=size=')");
	if (sizeBytes > 0 && !disk && !hasQuota()) throw fail("quota size requested but no quota support");
	if ((type !== undefined || o !== undefined) && device === undefined && !disk)
		throw fail('missing required option: "device"');
	if (type === undefined && device !== undefined) throw fail('missing required option: "type"');
}

function parseSize(text: string, fail: (why: string) => InvalidParameterError): number {
	try {
		return parseBytes(text);
	} catch (cause) {
		throw fail(errorMessage(cause));
	}
}

/** Undefined for a plain volume, or one on a disk of its own. Hosts are looked up, since the kernel takes addresses only. @throws SystemError */
export async function optionMount({ type, device, o = "" }: Options): Promise<OptionMount | undefined> {
	if (type === undefined || device === undefined) return undefined;
	const isNetwork = type === "nfs" || type === "nfs4" || type === "cifs";
	const words = o.split(",").filter((word) => word !== "");
	const settled = isNetwork ? await Promise.all(words.map(withAddress)) : words;
	const namesAddress = words.some((word) => word.startsWith("addr="));
	return {
		type,
		device: type === "cifs" && !namesAddress ? await deviceWithAddress(device) : device,
		...parseWords(settled),
		words: settled.join(","),
	};
}

function parseWords(words: readonly string[]): Pick<OptionMount, "flags" | "propagation" | "data"> {
	let flags = 0;
	const propagation: { kind: Propagation; recursive: boolean }[] = [];
	const data: string[] = [];
	for (const word of words) {
		const known = FLAGS.get(word);
		const [, recursive, kind] = PROPAGATION.exec(word) ?? [];
		if (known !== undefined) flags = (flags | known[0]) & ~known[1];
		else if (kind !== undefined) propagation.push({ kind: kind as Propagation, recursive: recursive === "r" });
		else data.push(word);
	}
	return { flags, propagation, data: data.join(",") };
}

/** Flags of mount(2) among the words of `o`. */
export function flagsOf(o: string): number {
	return parseWords(o.split(",")).flags;
}

async function withAddress(word: string): Promise<string> {
	const [, host] = /^addr=(.*)$/.exec(word) ?? [];
	return host === undefined || isIPv4(host) ? word : `addr=${await addressOf(host)}`;
}

/** `//host/share` */
async function deviceWithAddress(device: string): Promise<string> {
	const [, start = "", host = "", rest = ""] = /^((?:[a-z]+:)?\/\/)([^/]+)(.*)$/.exec(device) ?? [];
	return host === "" || isIPv4(host) ? device : `${start}${await addressOf(host)}${rest}`;
}

async function addressOf(host: string): Promise<string> {
	try {
		return (await lookup(host)).address;
	} catch (cause) {
		throw new SystemError(`error resolving passed in network volume address: lookup ${host}: no such host`, { cause });
	}
}

/** A password is nobody's business in an error. @param data options, comma-separated */
export function withoutPassword(data: string): string {
	return data.replace(/\b(pass(?:word)?2?=)[^,]*/g, "$1********");
}
