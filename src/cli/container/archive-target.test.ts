import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TarEntry, tarEntry } from "../../core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../core/diff/tar-writer.ts";
import { archiveSource } from "./archive-source.ts";
import { unpackArchive } from "./archive-target.ts";

let folder = "";

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "gantry-cli-"));
	await mkdir(join(folder, "in"));
});

afterEach(async () => {
	await rm(folder, { recursive: true });
});

async function* archive(
	...entries: [Partial<TarEntry> & Pick<TarEntry, "name" | "type">, string?][]
): AsyncGenerator<Uint8Array> {
	for (const [fields, content = ""] of entries) {
		yield formatTarHeader(tarEntry({ ...fields, sizeBytes: content.length }));
		yield Buffer.from(content);
		yield tarPadding(content.length);
	}
	yield TAR_END;
}

function unpack(source: AsyncIterable<Uint8Array>): Promise<void> {
	return unpackArchive(source, { directory: join(folder, "in"), rename: (name) => name, hasOwners: false });
}

describe("unpackArchive()", () => {
	test("makes files, directories and links with their modes and times", async () => {
		const modifiedNs = 1_600_000_000_000_000_000n;
		await unpack(
			archive(
				[{ name: "d/", type: "directory", mode: 0o500, modifiedNs }],
				[{ name: "d/f", type: "file", mode: 0o640, modifiedNs }, "hello"],
				[{ name: "d/h", type: "hard-link", linkName: "d/f" }],
				[{ name: "d/l", type: "symlink", linkName: "../../outside" }],
			),
		);
		const root = join(folder, "in", "d");
		const [directory, file, hardLink] = await Promise.all([
			lstat(root),
			lstat(join(root, "f")),
			lstat(join(root, "h")),
		]);
		expect({
			text: await readFile(join(root, "f"), "utf8"),
			link: await readlink(join(root, "l")),
			directoryMode: directory.mode & 0o777,
			fileMode: file.mode & 0o777,
			times: [directory.mtimeMs, file.mtimeMs],
			isSameFile: file.ino === hardLink.ino,
		}).toEqual({
			text: "hello",
			link: "../../outside",
			directoryMode: 0o500,
			fileMode: 0o640,
			times: [1_600_000_000_000, 1_600_000_000_000],
			isSameFile: true,
		});
	});

	const hostile: [string, Parameters<typeof archive>][] = [
		["a name with ..", [[{ name: "../evil", type: "file" }, "x"]]],
		["a name with .. in the middle", [[{ name: "d/../../evil", type: "file" }, "x"]]],
		[
			"a file through a link of the archive",
			[[{ name: "l", type: "symlink", linkName: ".." }], [{ name: "l/evil", type: "file" }, "x"]],
		],
		[
			"a file through a hard link to a link of the archive",
			[
				[{ name: "l", type: "symlink", linkName: ".." }],
				[{ name: "h", type: "hard-link", linkName: "l" }],
				[{ name: "h/evil", type: "file" }, "x"],
			],
		],
		["a hard link to the outside", [[{ name: "h", type: "hard-link", linkName: "../secret" }]]],
		[
			"a hard link through a link of the archive",
			[[{ name: "l", type: "symlink", linkName: ".." }], [{ name: "h", type: "hard-link", linkName: "l/secret" }]],
		],
	];
	for (const [name, entries] of hostile)
		test(`refuses ${name} and writes nothing outside`, async () => {
			await writeFile(join(folder, "secret"), "secret");
			await expect(unpack(archive(...entries))).rejects.toThrow("invalid name in archive");
			await expect(lstat(join(folder, "evil"))).rejects.toThrow("ENOENT");
			expect(await readFile(join(folder, "secret"), "utf8")).toBe("secret");
		});

	test("replaces a link rather than writing through it", async () => {
		await writeFile(join(folder, "secret"), "secret");
		await symlink("../secret", join(folder, "in", "f"));
		await unpack(archive([{ name: "f", type: "file" }, "new"]));
		expect([await readFile(join(folder, "secret"), "utf8"), await readFile(join(folder, "in", "f"), "utf8")]).toEqual([
			"secret",
			"new",
		]);
	});

	test("does not replace a directory by a file, nor a file by a directory", async () => {
		await mkdir(join(folder, "in", "d"));
		await writeFile(join(folder, "in", "f"), "x");
		await expect(unpack(archive([{ name: "d", type: "file" }, "x"]))).rejects.toThrow("cannot overwrite directory");
		await expect(unpack(archive([{ name: "f/", type: "directory" }]))).rejects.toThrow(
			"cannot overwrite non-directory",
		);
	});

	test("reports an archive that was cut off", async () => {
		const whole: Uint8Array[] = [];
		for await (const bytes of archive([{ name: "f", type: "file" }, "x".repeat(2000)])) whole.push(bytes);
		const cut = Buffer.concat(whole).subarray(0, 1000);
		const source = (async function* () {
			yield cut;
		})();
		await expect(unpack(source)).rejects.toThrow();
	});
});

test("archiveSource() and unpackArchive() copy a tree as it is", async () => {
	const from = join(folder, "from");
	await mkdir(join(from, "sub"), { recursive: true });
	await writeFile(join(from, "big"), "x".repeat(3_000_000));
	await writeFile(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0x41])]), "odd name");
	await symlink("big", join(from, "sub", "l"));
	let copiedBytes = 0;
	const source = archiveSource({
		directory: `${folder}/`,
		base: "from",
		rename: (name) => name.replace(/^from/, "to"),
		onBytes: (count) => {
			copiedBytes += count;
		},
	});
	await unpack(source);
	const to = join(folder, "in", "to");
	expect({
		size: (await lstat(join(to, "big"))).size,
		link: await readlink(join(to, "sub", "l")),
		odd: await readFile(Buffer.concat([Buffer.from(`${to}/`), Buffer.from([0xff, 0x41])]), "utf8"),
		copiedBytes,
	}).toEqual({ size: 3_000_000, link: "big", odd: "odd name", copiedBytes: 3_000_008 });
});
