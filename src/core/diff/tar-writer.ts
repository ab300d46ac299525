/**
 * Header bytes of tar members, deterministic: ustar where everything fits, a pax header in front where it does not.
 * The same entry always gives the same bytes.
 */
import { encodePath } from "./path-text.ts";
import { TAR_BLOCK_BYTES, type TarEntry, type TarEntryType } from "./tar-entry.ts";
import { formatHeader, octalLimit } from "./tar-header.ts";
import { formatPaxRecords, formatPaxTime, type PaxRecord } from "./tar-pax.ts";

const FLAGS: Readonly<Record<TarEntryType, string>> = {
	file: "0",
	"hard-link": "1",
	symlink: "2",
	"character-device": "3",
	"block-device": "4",
	directory: "5",
	fifo: "6",
};

const NS = 1_000_000_000n;
const ASCII = /^[\x20-\x7e]*$/;

/** Two zero blocks close an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK_BYTES);

/**
 * Header of a member. Its `sizeBytes` bytes of content and `tarPadding(sizeBytes)` zeros follow. Sparse files are written in full.
 * @param block of 512 zeros: the header's place, where it needs no more
 */
export function formatTarHeader(entry: TarEntry, block?: Buffer<ArrayBuffer>): Buffer {
	const split = splitName(entry.name);
	const seconds = floorSeconds(entry.modifiedNs);
	const records = paxRecords(entry, seconds, split !== undefined);
	const fields = {
		name: split?.name ?? truncated(entry.name),
		prefix: split?.prefix ?? "",
		linkName: truncated(entry.linkName),
		typeFlag: FLAGS[entry.type],
		mode: entry.mode,
		uid: entry.uid,
		gid: entry.gid,
		sizeBytes: entry.sizeBytes,
		modifiedSeconds: Number(seconds),
		userName: entry.userName,
		groupName: entry.groupName,
		deviceMajor: entry.deviceMajor,
		deviceMinor: entry.deviceMinor,
	};
	if (records.length === 0) return formatHeader(fields, block);
	return Buffer.concat([formatPaxMember(entry.name, records), formatHeader(fields)]);
}

export function tarPadding(sizeBytes: number): Uint8Array {
	return TAR_END.subarray(0, (TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
}

function paxRecords(entry: TarEntry, seconds: bigint, nameFits: boolean): PaxRecord[] {
	const records: PaxRecord[] = [];
	const add = (key: string, value: string) => records.push({ key, value: encodePath(value) });
	if (entry.modifiedNs !== seconds * NS || seconds < 0n || seconds > octalLimit(12))
		add("mtime", formatPaxTime(entry.modifiedNs));
	if (entry.gid > octalLimit(8)) add("gid", String(entry.gid));
	if (entry.uid > octalLimit(8)) add("uid", String(entry.uid));
	if (entry.sizeBytes > octalLimit(12)) add("size", String(entry.sizeBytes));
	if (!nameFits) add("path", entry.name);
	if (entry.linkName.length > 100 || !ASCII.test(entry.linkName)) add("linkpath", entry.linkName);
	if (!ASCII.test(entry.userName) || entry.userName.length > 31) add("uname", entry.userName);
	if (!ASCII.test(entry.groupName) || entry.groupName.length > 31) add("gname", entry.groupName);
	for (const [name, value] of entry.attributes) records.push({ key: `SCHILY.xattr.${name}`, value });
	if (records.length < 2) return records;
	return records.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** ustar splits a long name at a slash into a prefix of at most 155 bytes and a name of at most 100. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | undefined {
	if (!ASCII.test(name)) return undefined;
	if (name.length <= 100) return { prefix: "", name };
	const limit = name.endsWith("/") ? name.length - 2 : name.length - 1;
	const slash = name.lastIndexOf("/", Math.min(155, limit));
	if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
	return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}

/** What readers without pax see of a text that does not fit. */
function truncated(text: string): string {
	return text.replace(/[^\x20-\x7e]/g, "").slice(0, 100);
}

function formatPaxMember(name: string, records: readonly PaxRecord[]): Buffer {
	const payload = formatPaxRecords(records);
	const base = name.replace(/\/+$/, "").split("/").at(-1) ?? "";
	const header = formatHeader({
		name: truncated(`PaxHeaders.0/${base}`),
		prefix: "",
		linkName: "",
		typeFlag: "x",
		mode: 0,
		uid: 0,
		gid: 0,
		sizeBytes: payload.length,
		modifiedSeconds: 0,
		userName: "",
		groupName: "",
		deviceMajor: 0,
		deviceMinor: 0,
	});
	return Buffer.concat([header, payload, tarPadding(payload.length)]);
}

function floorSeconds(ns: bigint): bigint {
	const seconds = ns / NS;
	return ns < 0n && ns % NS !== 0n ? seconds - 1n : seconds;
}
