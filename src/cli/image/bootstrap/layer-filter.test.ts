import { expect, test } from "bun:test";
import { type TarEntry, tarEntry } from "../../../core/diff/tar-entry.ts";
import { TarReader } from "../../../core/diff/tar-reader.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../../core/diff/tar-writer.ts";
import { isKeptInDebian } from "./debian-files.ts";
import { filterLayer } from "./layer-filter.ts";

const NS = 1_000_000_000n;

function tar(
	...members: readonly (Partial<TarEntry> & Pick<TarEntry, "name" | "type"> & { content?: string })[]
): Buffer {
	const pieces = members.flatMap(({ content = "", ...fields }) => {
		const bytes = Buffer.from(content);
		return [formatTarHeader(tarEntry({ ...fields, sizeBytes: bytes.length })), bytes, tarPadding(bytes.length)];
	});
	return Buffer.concat([...pieces, TAR_END]);
}

async function filtered(archive: Buffer, chunkBytes: number): Promise<Buffer> {
	async function* chunks() {
		for (let at = 0; at < archive.length; at += chunkBytes) yield archive.subarray(at, at + chunkBytes);
	}
	const added = [{ path: "etc/added", mode: 0o755, content: "new\n" }];
	const pieces: Uint8Array[] = [];
	for await (const piece of filterLayer(chunks(), { keeps: isKeptInDebian, added, latestS: 1000 })) pieces.push(piece);
	return Buffer.concat(pieces);
}

function members(archive: Buffer) {
	const found: (Pick<TarEntry, "name" | "type" | "linkName" | "mode" | "uid" | "userName" | "modifiedNs"> & {
		content: string;
	})[] = [];
	const reader = new TarReader({
		entry: ({ name, type, linkName, mode, uid, userName, modifiedNs }) => {
			found.push({ name, type, linkName, mode, uid, userName, modifiedNs, content: "" });
		},
		data: (chunk) => {
			const last = found.at(-1);
			if (last !== undefined) last.content += Buffer.from(chunk).toString();
		},
		end: () => {},
	});
	reader.push(archive);
	reader.finish();
	return found;
}

const ARCHIVE = tar(
	{ name: "./", type: "directory" },
	{ name: "./dev/", type: "directory" },
	{ name: "./dev/null", type: "character-device", deviceMajor: 1, deviceMinor: 3 },
	{ name: "./etc/hostname", type: "file", content: "builder\n" },
	{ name: "./etc/passwd", type: "file", content: "root:x:0:0\n", userName: "root", modifiedNs: 2000n * NS },
	{ name: "./etc/apt/sources.list.d/0000stdin.sources", type: "file", content: "x" },
	{ name: "./usr/bin/perl", type: "file", content: "p".repeat(700), mode: 0o4755, uid: 7, modifiedNs: 5n * NS + 1n },
	{ name: "./usr/bin/perl5", type: "hard-link", linkName: "./usr/bin/perl" },
	{ name: "./bin", type: "symlink", linkName: "usr/bin" },
	{ name: "./var/log/dpkg.log", type: "file", content: "now" },
);

test("filterLayer() drops what is the machine's, adds files, and bounds times", async () => {
	const file = { type: "file", linkName: "", userName: "" } as const;
	expect(members(await filtered(ARCHIVE, 1000))).toEqual([
		{ name: "./", type: "directory", linkName: "", mode: 0o755, uid: 0, userName: "", modifiedNs: 0n, content: "" },
		{ name: "dev/", type: "directory", linkName: "", mode: 0o755, uid: 0, userName: "", modifiedNs: 0n, content: "" },
		{ ...file, name: "etc/passwd", mode: 0o644, uid: 0, modifiedNs: 1000n * NS, content: "root:x:0:0\n" },
		{ ...file, name: "usr/bin/perl", mode: 0o4755, uid: 7, modifiedNs: 5n * NS, content: "p".repeat(700) },
		{
			...file,
			name: "usr/bin/perl5",
			type: "hard-link",
			linkName: "usr/bin/perl",
			mode: 0o644,
			uid: 0,
			modifiedNs: 0n,
			content: "",
		},
		{ ...file, name: "bin", type: "symlink", linkName: "usr/bin", mode: 0o777, uid: 0, modifiedNs: 0n, content: "" },
		{ ...file, name: "etc/added", mode: 0o755, uid: 0, modifiedNs: 1000n * NS, content: "new\n" },
	]);
});

test("filterLayer() gives the same bytes however the archive arrives", async () => {
	const whole = await filtered(ARCHIVE, ARCHIVE.length);
	expect(whole.length % 512).toBe(0);
	for (const size of [1, 511, 513, 4096]) expect((await filtered(ARCHIVE, size)).equals(whole)).toBe(true);
});

test("filterLayer() refuses an archive that was cut short", async () => {
	await expect(filtered(ARCHIVE.subarray(0, 3000), 512)).rejects.toMatchObject({ kind: "invalid-parameter" });
});

test("isKeptInDebian() keeps packages' files and no traces of their installation", () => {
	const kept = [
		"dev",
		"etc/apt/sources.list.d",
		"var/log/apt",
		"var/log/lastlog",
		"var/lib/dpkg/status",
		"var/lib/apt/lists/partial",
	];
	const dropped = [
		"dev/null",
		"etc/resolv.conf",
		"etc/apt/sources.list.d/x.sources",
		"var/log/bootstrap.log",
		"var/log/apt/history.log",
		"var/lib/apt/lists/lock",
		"var/cache/apt/archives/lock",
		"var/lib/dpkg/status-old",
	];
	expect([kept.filter(isKeptInDebian), dropped.filter(isKeptInDebian)]).toEqual([kept, []]);
});
