import { lookup } from "node:dns/promises";
import { InvalidParameterError } from "../../base/errors.ts";
import { MS } from "../linux/mount.ts";

/** What mount(2) takes for a volume with driver options. */
export interface OptionMount {
	readonly type: string;
	readonly device: string;
	readonly flags: number;
	readonly data: string;
}

/** mount(2) flags that only volumes ask for. */
const SYNCHRONOUS = 0x10;
const DIRSYNC = 0x80;
const NODIRATIME = 0x800;
const KNOWN = ["type", "o", "device", "size"];
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
		noatime: [MS.NOATIME, 0],
		atime: [0, MS.NOATIME],
		nodiratime: [NODIRATIME, 0],
		relatime: [MS.RELATIME, 0],
		strictatime: [MS.STRICTATIME, 0],
		bind: [MS.BIND, 0],
		rbind: [MS.BIND | MS.REC, 0],
	}),
);

/** @throws InvalidParameterError as the `local` driver words it */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
	const fail = (why: string) => new InvalidParameterError(`create ${name}: ${why}`);
	for (const key of Object.keys(options)) if (!KNOWN.includes(key)) throw fail(`invalid option: "${key}"`);
	if (options["size"] !== undefined) throw fail("quota size requested but no quota support");
	for (const [present, needed] of [
		["type", "device"],
		["device", "type"],
		["o", "type"],
	] as const)
		if (options[present] !== undefined && options[needed] === undefined)
			throw fail(`missing required option: "${needed}"`);
}

/** Undefined for a plain volume. Looks up the host in `addr=` as mount.nfs does, since the kernel takes addresses only. */
export async function optionMount(options: Readonly<Record<string, string>>): Promise<OptionMount | undefined> {
	const { type, device, o } = options;
	if (type === undefined || device === undefined) return undefined;
	let flags = 0;
	const data: string[] = [];
	for (const word of (o ?? "").split(",").filter((each) => each !== "")) {
		const known = FLAGS.get(word);
		if (known === undefined) data.push(await withAddress(word));
		else flags = (flags | known[0]) & ~known[1];
	}
	return { type, device, flags, data: data.join(",") };
}

async function withAddress(word: string): Promise<string> {
	const match = /^addr=(.*)$/.exec(word);
	if (match === null) return word;
	const { address } = await lookup(match[1] ?? "");
	return `addr=${address}`;
}
