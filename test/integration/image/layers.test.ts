import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	rmSync,
	statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { AppliedLayer } from "../../../src/core/diff/archiver.ts";
import { FsContentStore } from "../../../src/drivers/content-fs/fs-content-store.ts";
import { FsLayerApplier } from "../../../src/drivers/layer-fs/fs-layer-applier.ts";
import { RootDirectory } from "../../../src/drivers/linux/root-directory.ts";
import { tarOf } from "../../support/tar-builder.ts";

let base: string;
let layer: string;
let content: FsContentStore;
let applier: FsLayerApplier;
beforeEach(() => {
	base = realpathSync(mkdtempSync(join(tmpdir(), "gantry-layers-")));
	layer = join(base, "one", "fs");
	mkdirSync(layer, { recursive: true });
	content = new FsContentStore(join(base, "content"));
	applier = new FsLayerApplier(content);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const apply = (tar: Uint8Array, directory = layer) => applier.apply(Readable.from(inPieces(tar)), directory);

function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
	for (let position = 0; position < bytes.length; position += 10_007) yield bytes.subarray(position, position + 10_007);
}

async function tarAgain({ assembly }: AppliedLayer, directory = layer): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of applier.tar(directory, assembly)) chunks.push(chunk);
	return Buffer.concat(chunks);
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const run = (...argv: string[]) => {
	const { exitCode, stderr } = Bun.spawnSync(argv);
	if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
};
const leftovers = () => readdirSync(join(base, "content", "ingest"));

describe("a layer is made again byte for byte", () => {
	function makeTree(): string {
		const tree = join(base, "tree");
		mkdirSync(join(tree, "a".repeat(90), "b".repeat(90), "c".repeat(90)), { recursive: true });
		run(
			"sh",
			"-c",
			`cd ${tree} && echo hello > f && ln f hard && ln -s f soft && ln -s /abs/olute abs && mkfifo p && mknod null c 1 3
			&& truncate -s 5M sparse && printf x | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
			&& echo deep > ${"a".repeat(90)}/${"b".repeat(90)}/${"c".repeat(90)}/file && chown 1234:5678 soft hard -h && chmod 4755 f
			&& head -c 300000 /dev/urandom > random && : > empty && setfattr -n user.k -v v f 2>/dev/null; true`.replaceAll(
				"\n\t\t\t",
				" ",
			),
		);
		return tree;
	}

	for (const options of [
		["--format=gnu", "--sparse"],
		["--format=posix", "--sparse", "--xattrs"],
		["--format=posix", "--sparse", "--sparse-version=0.1"],
		["--format=posix", "--sparse", "--sparse-version=0.0"],
		["--format=ustar", "--exclude=*/*/*/*"],
		["--format=v7", "--exclude=a*", "--exclude=null", "--exclude=p"],
		["--format=gnu", "--blocking-factor=100"],
	])
		test(`as written by tar ${options.join(" ")}`, async () => {
			const tree = makeTree();
			const file = join(base, "layer.tar");
			run("tar", "-C", tree, ...options, "-cf", file, ".");
			const tar = readFileSync(file);
			const applied = await apply(tar);
			expect(applied).toMatchObject({ diffId: digestOf(tar), tarSizeBytes: tar.length });
			expect((await tarAgain(applied)).equals(tar)).toBe(true);
			const exclude = options.filter((option) => option.startsWith("--exclude"));
			run(
				"sh",
				"-c",
				`cd ${tree} && tar ${exclude.map((text) => `'${text}'`).join(" ")} -cf - . | (mkdir ${base}/x && tar -C ${base}/x -xf -)`,
			);
			run("diff", "--recursive", "--no-dereference", "-x", "p", "-x", "null", join(base, "x"), layer);
		});

	test("sparse files stay sparse, and links stay links", async () => {
		const tree = makeTree();
		const file = join(base, "layer.tar");
		run("tar", "-C", tree, "--sparse", "-cf", file, ".");
		await apply(readFileSync(file));
		expect(statSync(join(layer, "sparse")).size).toBe(5 << 20);
		expect(statSync(join(layer, "sparse")).blocks).toBeLessThan(100);
		expect(statSync(join(layer, "hard")).ino).toBe(statSync(join(layer, "f")).ino);
		expect(readlinkSync(join(layer, "abs"))).toBe("/abs/olute");
		using root = RootDirectory.open(layer);
		expect(root.status("f")).toMatchObject({ permissions: 0o4755, uid: 1234, gid: 5678 });
		expect(root.status("soft")).toMatchObject({ kind: "symlink", uid: 1234, gid: 5678 });
		expect(root.status("null")).toMatchObject({ kind: "character-device", deviceMajor: 1, deviceMinor: 3 });
	});

	test("compressed or not, it is the same layer", async () => {
		const tar = tarOf({ name: "a", content: "x".repeat(100_000) });
		// How the record is cut into pieces depends on how the archive came.
		const { assembly: _, ...plain } = await apply(tar);
		for (const [name, packed] of [
			["gzip", gzipSync(tar)],
			["zstd", zstdCompressSync(tar)],
			[
				"zstd in two frames",
				Buffer.concat([zstdCompressSync(tar.subarray(0, 700)), zstdCompressSync(tar.subarray(700))]),
			],
			["gzip in two members", Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])],
		] as const) {
			const directory = join(base, name.replaceAll(" ", "-"), "fs");
			mkdirSync(directory, { recursive: true });
			expect(await apply(packed, directory)).toMatchObject(plain);
		}
	});

	const replaced: readonly [string, Buffer, readonly [string, string][]][] = [
		[
			"the same file twice",
			tarOf({ name: "a", content: "first" }, { name: "a", content: "second" }),
			[["a", "second"]],
		],
		[
			"a directory replaced by a file",
			tarOf(
				{ name: "d/" },
				{ name: "d/a", content: "inner" },
				{ name: "d/e/f", content: "deep" },
				{ name: "d", content: "now a file" },
			),
			[["d", "now a file"]],
		],
		[
			"a file behind a symlink that then points elsewhere",
			tarOf(
				{ name: "one/" },
				{ name: "two/" },
				{ name: "l", type: "symlink", linkName: "one" },
				{ name: "l/f", content: "in one" },
				{ name: "l", type: "symlink", linkName: "two" },
				{ name: "l/f", content: "in two" },
			),
			[
				["one/f", "in one"],
				["two/f", "in two"],
			],
		],
		[
			"a hard link replaced",
			tarOf(
				{ name: "a", content: "a" },
				{ name: "b", type: "hard-link", linkName: "a" },
				{ name: "a", content: "new" },
			),
			[
				["a", "new"],
				["b", "a"],
			],
		],
		[
			"contents behind an AUFS name",
			tarOf({ name: ".wh..wh.plnk/1", content: "aufs" }, { name: "a", content: "a" }),
			[["a", "a"]],
		],
	];
	for (const [name, tar, files] of replaced)
		test(`with ${name}`, async () => {
			const applied = await apply(tar);
			expect((await tarAgain(applied)).equals(tar)).toBe(true);
			for (const [path, text] of files) expect(readFileSync(join(layer, path), "utf8")).toBe(text);
		});
});

describe("an archive never leaves its root", () => {
	test("climbing names are refused and leave nothing outside", async () => {
		for (const name of ["../evil", "a/../../evil", "../../../../tmp/evil"])
			await expect(apply(tarOf({ name, content: "x" }))).rejects.toMatchObject({ kind: "invalid-parameter" });
		await expect(apply(tarOf({ name: "h", type: "hard-link", linkName: "../../content" }))).rejects.toMatchObject({
			kind: "invalid-parameter",
		});
		expect(existsSync(join(base, "one/evil"))).toBe(false);
		expect(leftovers()).toEqual([]);
	});

	test("absolute names start at the root", async () => {
		await apply(tarOf({ name: "/etc/x", content: "x" }, { name: "/../up", content: "y" }));
		expect(readdirSync(layer).sort()).toEqual(["etc", "up"]);
	});

	for (const [name, target] of [
		["absolute", (outside: string) => outside],
		["relative", () => "../../outside"],
		["of many steps", () => "../../../../../../../../outside"],
	] as const)
		test(`writing through a symlink, ${name}, stays inside`, async () => {
			const outside = join(base, "outside");
			mkdirSync(outside);
			const tar = tarOf(
				{ name: "l", type: "symlink", linkName: target(outside) },
				{ name: `l/evil`, content: "x" },
				{ name: "m", type: "symlink", linkName: "l" },
				{ name: "m/evil2", content: "x" },
			);
			// The target does not exist inside: made there, or refused.
			await apply(tar).catch(() => undefined);
			expect(readdirSync(outside)).toEqual([]);
		});

	test("a directory swapped for a symlink does not lead out", async () => {
		const outside = join(base, "outside");
		mkdirSync(outside);
		const tar = tarOf(
			{ name: "d/" },
			{ name: "d", type: "symlink", linkName: outside },
			{ name: "d/evil", content: "x" },
		);
		await apply(tar).catch(() => undefined);
		expect(readdirSync(outside)).toEqual([]);
	});

	test("a file is never written through a symlink of its own name", async () => {
		const victim = join(base, "victim");
		await Bun.write(victim, "safe");
		await apply(tarOf({ name: "f", type: "symlink", linkName: victim }, { name: "f", content: "evil" }));
		expect(readFileSync(victim, "utf8")).toBe("safe");
		expect(readFileSync(join(layer, "f"), "utf8")).toBe("evil");
	});

	test("a hard link to a symlink does not give the target away", async () => {
		await apply(
			tarOf({ name: "s", type: "symlink", linkName: "/etc/passwd" }, { name: "h", type: "hard-link", linkName: "s" }),
		);
		expect(readlinkSync(join(layer, "h"))).toBe("/etc/passwd");
	});

	test("attributes of overlayfs are not an archive's to set", async () => {
		const attributes = new Map([
			["trusted.overlay.redirect", Buffer.from("/etc")],
			["trusted.overlay.opaque", Buffer.from("y")],
			["user.ok", Buffer.from("1")],
		]);
		await apply(tarOf({ name: "d/", attributes }));
		using root = RootDirectory.open(layer);
		expect(root.listAttributes("d").filter((name) => !name.startsWith("security."))).toEqual(["user.ok"]);
	});
});

describe("whiteouts", () => {
	test("become overlayfs's", async () => {
		const tar = tarOf(
			{ name: "d/" },
			{ name: "d/.wh.gone" },
			{ name: "o/" },
			{ name: "o/.wh..wh..opq" },
			{ name: ".wh.top" },
		);
		const applied = await apply(tar);
		using root = RootDirectory.open(layer);
		expect(root.status("d/gone")).toMatchObject({ kind: "character-device", deviceMajor: 0, deviceMinor: 0 });
		expect(root.status("top").kind).toBe("character-device");
		expect(root.getAttribute("o", "trusted.overlay.opaque")?.toString()).toBe("y");
		expect(root.readDirectory("o")).toEqual([]);
		expect((await tarAgain(applied)).equals(tar)).toBe(true);
	});

	test("leave alone what their own layer has, before and after them", async () => {
		await apply(
			tarOf(
				{ name: "a", content: "kept" },
				{ name: ".wh.a" },
				{ name: ".wh.b" },
				{ name: "b/" },
				{ name: "b/c", content: "new" },
			),
		);
		expect(readFileSync(join(layer, "a"), "utf8")).toBe("kept");
		expect(readFileSync(join(layer, "b/c"), "utf8")).toBe("new");
		using root = RootDirectory.open(layer);
		expect(root.getAttribute("b", "trusted.overlay.opaque")?.toString()).toBe("y");
	});

	test("of nothing, of the directory itself and of its parent are refused", async () => {
		for (const name of [".wh.", ".wh..", ".wh...", "a/.wh..."])
			await expect(apply(tarOf({ name }))).rejects.toMatchObject({ kind: "invalid-parameter" });
	});
});

describe("a broken archive is refused and leaves no blob", () => {
	const tar = tarOf({ name: "a", content: "x".repeat(5000) });
	for (const [name, bytes] of [
		["cut off", tar.subarray(0, 3000)],
		["no archive", Buffer.from("hello".repeat(200))],
		["gzip cut off", gzipSync(tar).subarray(0, 40)],
		["gzip of nonsense", gzipSync(Buffer.from("nonsense".repeat(100)))],
		["damaged gzip", Buffer.concat([gzipSync(tar).subarray(0, 20), Buffer.alloc(50, 7)])],
		["zstd cut off", zstdCompressSync(tar).subarray(0, 20)],
		["zstd without its last byte", zstdCompressSync(tar).subarray(0, -1)],
		[
			"a NUL in a name",
			tarOf({ name: "a\u0001", type: "file" }, { name: "x".repeat(300), type: "symlink", linkName: "" }),
		],
	] as const)
		test(name, async () => {
			await expect(apply(bytes)).rejects.toMatchObject({ kind: "invalid-parameter" });
			expect(leftovers()).toEqual([]);
			for await (const blob of content.list()) throw new Error(`left ${blob.digest}`);
		});

	test("a source that fails passes its failure on", async () => {
		const failing = Readable.from(
			(function* () {
				yield tar.subarray(0, 1000);
				throw new Error("the sender left");
			})(),
		);
		await expect(applier.apply(failing, layer)).rejects.toThrow("the sender left");
		expect(leftovers()).toEqual([]);
	});
});
