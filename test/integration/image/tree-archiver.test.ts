import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import type { WriteTreeOptions } from "../../../src/core/diff/archiver.ts";
import { FsTreeArchiver } from "../../../src/drivers/layer-fs/fs-tree-archiver.ts";
import { RootDirectory } from "../../../src/drivers/linux/root-directory.ts";
import { tarOf } from "../../support/tar-builder.ts";

const archiver = new FsTreeArchiver();
const OPTIONS: WriteTreeOptions = { noOverwriteDirNonDir: false, copyUidGid: false, owner: undefined };
let base: string;
let root: string;
beforeEach(() => {
	base = realpathSync(mkdtempSync(join(tmpdir(), "gantry-tree-")));
	root = join(base, "root");
	mkdirSync(join(root, "etc/sub"), { recursive: true });
	writeFileSync(join(root, "etc/passwd"), "root:x:0:0");
	symlinkSync("/etc", join(root, "abs"));
	symlinkSync("../../../../etc/sub/missing", join(root, "etc/up"));
	writeFileSync(join(base, "secret"), "outside");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

async function read(path: string): Promise<{ names: string[]; tar: Buffer }> {
	const { tar } = await archiver.read(root, path);
	return unpacked(tar);
}

async function unpacked(stream: Readable): Promise<{ names: string[]; tar: Buffer }> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk);
	const tar = Buffer.concat(chunks);
	const { stdout } = Bun.spawnSync(["tar", "-t", "-P"], { stdin: tar });
	return { names: stdout.toString().trim().split("\n"), tar };
}

const write = (path: string, tar: Uint8Array, options: Partial<WriteTreeOptions> = {}) =>
	archiver.write(root, path, Readable.from([tar]), { ...OPTIONS, ...options });

describe("stat()", () => {
	for (const [path, want] of [
		["/etc", { name: "etc", mode: 2 ** 31 + 0o755, linkTarget: "" }],
		["etc/passwd", { name: "passwd", mode: 0o644, sizeBytes: 10 }],
		["/etc/.", { name: "." }],
		["/", { name: "/", mode: 2 ** 31 + 0o755 }],
		["/abs", { name: "abs", mode: 2 ** 27 + 0o777, linkTarget: "/etc" }],
		["/abs/", { name: "abs", mode: 2 ** 31 + 0o755, linkTarget: "" }],
		["/abs/passwd", { name: "passwd", sizeBytes: 10 }],
		["/etc/up", { name: "up", linkTarget: "/etc/sub/missing" }],
		["/../../etc/passwd", { name: "passwd" }],
	] as const)
		test(`of ${path}`, async () => {
			expect(await archiver.stat(root, path)).toMatchObject(want);
		});

	test("of what is not there, or is no directory, fails", async () => {
		for (const path of ["/nope", "/etc/nope/x", "/etc/up/x", "/../secret"])
			await expect(archiver.stat(root, path)).rejects.toMatchObject({ kind: "not-found" });
		for (const path of ["/etc/passwd/", "/etc/passwd/."])
			await expect(archiver.stat(root, path)).rejects.toThrow("not a directory");
	});
});

describe("read()", () => {
	for (const [path, names] of [
		["/etc", ["etc/", "etc/passwd", "etc/sub/", "etc/up"]],
		["/etc/", ["etc/", "etc/passwd", "etc/sub/", "etc/up"]],
		["/etc/.", ["./", "./passwd", "./sub/", "./up"]],
		["/etc/passwd", ["passwd"]],
		["/abs", ["abs"]],
		["/abs/.", ["./", "./passwd", "./sub/", "./up"]],
		["/", ["/", "/abs", "/etc/", "/etc/passwd", "/etc/sub/", "/etc/up"]],
	] as const)
		test(`names the members of ${path} as docker does`, async () => {
			expect((await read(path)).names).toEqual([...names]);
		});

	test("keeps hard links, owners, permissions, capabilities and fifos; leaves sockets out", async () => {
		using tree = RootDirectory.open(root);
		tree.makeLink("etc/passwd", "etc/second");
		tree.changeOwner("etc/passwd", 1000, 70000);
		tree.changePermissions("etc/passwd", 0o4711);
		tree.setAttribute("etc/passwd", "user.note", Buffer.from("kept"));
		tree.makeNode("etc/fifo", "fifo", 0o600);
		tree.makeNode("etc/socket", "socket", 0o600);
		const { tar, names } = await read("/etc");
		expect(names).not.toContain("etc/socket");
		await write("/", tarOf({ name: "copy/" }));
		await write("/copy", tar);
		expect(tree.status("copy/etc/second").inode).toBe(tree.status("copy/etc/passwd").inode);
		expect(tree.status("copy/etc/second")).toMatchObject({ uid: 1000, gid: 70000, permissions: 0o4711 });
		expect(tree.getAttribute("copy/etc/passwd", "user.note")?.toString()).toBe("kept");
		expect(tree.status("copy/etc/fifo").kind).toBe("fifo");
	});

	test("a stream given up half-way leaves no descriptor", async () => {
		writeFileSync(join(root, "big"), Buffer.alloc(8 << 20));
		const count = () => readdirSync("/proc/self/fd").length;
		const before = count();
		for (let round = 0; round < 20; round++) {
			const { tar } = await archiver.read(root, "/");
			for await (const _ of tar) break;
			(await archiver.read(root, "/")).tar.destroy();
		}
		await Bun.sleep(20);
		expect(count() - before).toBeLessThanOrEqual(2);
	});

	test("a file cut while it is read still gives a well-formed archive", async () => {
		writeFileSync(join(root, "big"), Buffer.alloc(6 << 20, 1));
		const { tar } = await archiver.read(root, "/big");
		const chunks: Buffer[] = [];
		for await (const chunk of tar) {
			if (chunks.length === 0) writeFileSync(join(root, "big"), "");
			chunks.push(chunk);
		}
		expect(Buffer.concat(chunks).length).toBe(512 + (6 << 20) + 1024);
	});
});

test("export() names everything from the root, without the root itself", async () => {
	expect((await unpacked(archiver.export(root))).names).toEqual(["abs", "etc/", "etc/passwd", "etc/sub/", "etc/up"]);
});

describe("write()", () => {
	test("puts members below the directory, compressed ones, too", async () => {
		await write(
			"/etc",
			gzipSync(
				tarOf({ name: "new", content: "n", uid: 1000, mode: 0o600 }, { name: "d/" }, { name: "d/f", content: "f" }),
			),
		);
		using tree = RootDirectory.open(root);
		expect(tree.status("etc/new")).toMatchObject({ uid: 1000, permissions: 0o600, sizeBytes: 1 });
		expect(readFileSync(join(root, "etc/d/f"), "utf8")).toBe("f");
	});

	test("gives everything to the container's user when asked", async () => {
		const owner = { uid: 77, gid: 88 };
		await write("/etc", tarOf({ name: "a", uid: 1 }, { name: "b/", uid: 1 }), { copyUidGid: true, owner });
		using tree = RootDirectory.open(root);
		for (const path of ["etc/a", "etc/b"]) expect(tree.status(path)).toMatchObject(owner);
	});

	test("follows the container's own symlinks, inside the container", async () => {
		symlinkSync(base, join(root, "out"));
		mkdirSync(join(root, base), { recursive: true });
		await write("/abs", tarOf({ name: "viaAbs", content: "1" }));
		await write("/out", tarOf({ name: "viaOut", content: "2" }));
		expect(readdirSync(join(root, "etc"))).toContain("viaAbs");
		expect(readdirSync(join(root, base))).toContain("viaOut");
		expect(readdirSync(base).sort()).toEqual(["root", "secret"]);
	});

	test("never leaves the root", async () => {
		for (const name of ["../../x", "../../../../../../tmp/x"])
			await expect(write("/etc", tarOf({ name, content: "x" }))).rejects.toMatchObject({ kind: "invalid-parameter" });
		const secret = join(base, "secret");
		await write("/", tarOf({ name: "l", type: "symlink", linkName: secret }, { name: "l", content: "mine" }));
		await write("/", tarOf({ name: "d", type: "symlink", linkName: base }, { name: "d/secret", content: "x" })).catch(
			() => undefined,
		);
		expect(readFileSync(secret, "utf8")).toBe("outside");
	});

	test("replaces files and merges directories; with noOverwriteDirNonDir it keeps to kinds", async () => {
		const strict = { noOverwriteDirNonDir: true };
		await expect(write("/", tarOf({ name: "etc", content: "x" }), strict)).rejects.toThrow(
			"cannot overwrite directory",
		);
		await expect(write("/etc", tarOf({ name: "passwd/" }), strict)).rejects.toThrow("cannot overwrite non-directory");
		await write("/", tarOf({ name: "etc/" }, { name: "etc/passwd", content: "new" }), strict);
		expect(readdirSync(join(root, "etc")).sort()).toEqual(["passwd", "sub", "up"]);
		expect(readFileSync(join(root, "etc/passwd"), "utf8")).toBe("new");
		await write("/", tarOf({ name: "etc", content: "now a file" }));
		expect(readFileSync(join(root, "etc"), "utf8")).toBe("now a file");
	});

	test("into what is not there or no directory fails", async () => {
		await expect(write("/nope", tarOf({ name: "a" }))).rejects.toMatchObject({ kind: "not-found" });
		await expect(write("/etc/passwd", tarOf({ name: "a" }))).rejects.toThrow("extraction point is not a directory");
	});

	test("of a broken archive tells so and leaves no descriptor", async () => {
		const count = () => readdirSync("/proc/self/fd").length;
		const before = count();
		const cut = tarOf({ name: "a", content: "x".repeat(2000) }).subarray(0, 1000);
		for (let round = 0; round < 10; round++) await expect(write("/etc", cut)).rejects.toThrow("unexpected EOF");
		expect(count() - before).toBeLessThanOrEqual(2);
	});
});
