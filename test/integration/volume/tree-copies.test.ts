/** Copies of volumes' files on the real kernel. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	linkSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RootDirectory } from "../../../src/drivers/linux/root-directory.ts";
import { FsVolumeTrees } from "../../../src/drivers/volume-local/fs-volume-trees.ts";
import { mustRun } from "../../support/commands.ts";
import { LoopFileSystem, missingProgram } from "../../support/loop-file-system.ts";

const base = mkdtempSync(join(tmpdir(), "gantry-copies-"));
const trees = new FsVolumeTrees();
let count = 0;
let from = "";
let to = "";

beforeEach(() => {
	const directory = join(base, String(count++));
	[from, to] = [join(directory, "from"), join(directory, "to")];
	mkdirSync(from, { recursive: true });
	mkdirSync(to);
});
afterAll(() => rmSync(base, { recursive: true }));

const copy = () => trees.copy({ root: from, path: "/" }, to);

describe("a copy", () => {
	test("has owners, modes, times to the nanosecond, links, devices, attributes and holes", async () => {
		mkdirSync(join(from, "d/e"), { recursive: true });
		chmodSync(join(from, "d"), 0o2751);
		chownSync(join(from, "d"), 12, 34);
		writeFileSync(join(from, "d/file"), "text");
		chownSync(join(from, "d/file"), 56, 78);
		chmodSync(join(from, "d/file"), 0o4711);
		linkSync(join(from, "d/file"), join(from, "same"));
		symlinkSync("/etc/passwd", join(from, "link"));
		using root = RootDirectory.open(from);
		root.setTimes("d/file", 1_700_000_000_123_456_789n, 1_600_000_000_987_654_321n);
		root.setTimes("link", 1n, 1_500_000_000_000_000_001n);
		root.makeNode("null", "character-device", 0o666, 1, 3);
		root.makeNode("pipe", "fifo", 0o600);
		root.setAttribute("d", "trusted.note", Buffer.from("kept"));
		root.setAttribute("d/file", "security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex"));
		writeFileSync(join(from, "sparse"), "");
		truncateSync(join(from, "sparse"), 64 * 1024 ** 2);
		const sparse = await open(join(from, "sparse"), "r+");
		await sparse.write("in the middle", 32 * 1024 ** 2);
		await sparse.close();
		utimesSync(from, 1, 2);

		expect(await copy()).toBe(true);
		using made = RootDirectory.open(to);
		for (const path of [".", "d", "d/e", "d/file", "same", "link", "null", "pipe", "sparse"]) {
			const { inode: _, device: __, changedNs: ___, accessedNs: ____, blocks: _____, ...want } = root.status(path);
			expect({ path, ...made.status(path) }).toMatchObject({ path, ...want });
		}
		expect(made.status("same").inode).toBe(made.status("d/file").inode);
		expect(readlinkSync(join(to, "link"))).toBe("/etc/passwd");
		expect(made.getAttribute("d", "trusted.note")?.toString()).toBe("kept");
		expect(made.getAttribute("d/file", "security.capability")).toEqual(
			root.getAttribute("d/file", "security.capability"),
		);
		expect(made.status("sparse").blocks).toBeLessThan(1000);
		expect(
			readFileSync(join(to, "sparse"))
				.subarray(32 * 1024 ** 2)
				.toString("utf8", 0, 13),
		).toBe("in the middle");
	});

	test("leaves what has a name in the target alone, and what is below it", async () => {
		for (const path of ["file", "d/file", "link", "taken/below"]) {
			mkdirSync(join(from, path, ".."), { recursive: true });
			writeFileSync(join(from, path), "new");
		}
		mkdirSync(join(to, "d"));
		chmodSync(join(to, "d"), 0o700);
		writeFileSync(join(to, "file"), "old");
		writeFileSync(join(to, "taken"), "a file");
		const victim = join(to, "../victim");
		symlinkSync(victim, join(to, "link"));
		await copy();
		expect(readFileSync(join(to, "file"), "utf8")).toBe("old");
		expect(readFileSync(join(to, "d/file"), "utf8")).toBe("new");
		expect(readFileSync(join(to, "taken"), "utf8")).toBe("a file");
		expect(statSync(join(to, "d")).mode & 0o777).toBe(0o700);
		expect(readdirSync(join(to, ".."))).not.toContain("victim");
	});

	test("never leads out of its source or target while their directories are swapped for links", async () => {
		const outside = join(base, `outside-${count}`);
		mkdirSync(join(outside, "sub"), { recursive: true });
		writeFileSync(join(outside, "sub/secret"), "of the host");
		for (let index = 0; index < 60; index++) {
			mkdirSync(join(from, `d${index}/sub`), { recursive: true });
			for (let file = 0; file < 20; file++) writeFileSync(join(from, `d${index}/sub/f${file}`), "x");
		}
		let isOver = false;
		let swaps = 0;
		const swap = async (root: string) => {
			while (!isOver) {
				for (let index = 0; index < 60; index++) {
					const path = join(root, `d${index}`);
					if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) continue;
					renameSync(path, `${path}-away`);
					symlinkSync(outside, path);
					swaps++;
					await new Promise((resolve) => setImmediate(resolve));
					rmSync(path);
					renameSync(`${path}-away`, path);
				}
				await new Promise((resolve) => setImmediate(resolve));
			}
		};
		const racers = Promise.all([swap(from), swap(to)]);
		await copy();
		isOver = true;
		await racers;
		expect(swaps).toBeGreaterThan(0);
		expect(await mustRun(["grep", "-rl", "of the host", to]).catch(() => "")).toBe("");
		expect(readdirSync(outside)).toEqual(["sub"]);
		expect(readdirSync(join(outside, "sub"))).toEqual(["secret"]);
	});

	test("counts bytes as it goes, and ends when it is told to", async () => {
		writeFileSync(join(from, "big"), Buffer.alloc(8 * 1024 ** 2, 1));
		const seen: number[] = [];
		const abort = new AbortController();
		const onProgress = (bytes: number) => {
			seen.push(bytes);
			if (bytes >= 3 * 1024 ** 2) abort.abort();
		};
		await expect(trees.copy({ root: from, path: "." }, to, { onProgress, signal: abort.signal })).rejects.toThrow(
			"Operation cancelled",
		);
		expect(seen.at(-1)).toBe(3 * 1024 ** 2);
	});

	test("of nothing, or of a file, is no copy; a size counts linked files once and no depth is too deep", async () => {
		writeFileSync(join(from, "file"), "12345");
		expect(await trees.copy({ root: from, path: "/none" }, to)).toBe(false);
		expect(await trees.copy({ root: from, path: "/file" }, to)).toBe(false);
		linkSync(join(from, "file"), join(from, "same"));
		let directory = RootDirectory.open(from);
		for (let depth = 0; depth < 40; depth++) {
			const name = "d".repeat(200);
			directory.makeDirectory(name, 0o755);
			const next = directory.openDirectory(name);
			directory.close();
			directory = next;
		}
		directory.close();
		expect(await trees.size(from)).toBe(5);
		using root = RootDirectory.open(join(from, ".."));
		root.removeAll("from");
	});
});

const missing = missingProgram("btrfs");
test.skipIf(missing !== undefined)(
	`shares blocks where the file system can${missing === undefined ? "" : ` (skipped: ${missing})`}`,
	async () => {
		await using disk = await LoopFileSystem.make({ type: "btrfs" });
		const [source, target] = [join(disk.path, "from"), join(disk.path, "to")];
		for (const path of [source, target]) mkdirSync(path);
		writeFileSync(join(source, "big"), Buffer.alloc(32 * 1024 ** 2, 7));
		await mustRun(["sync", "-f", disk.path]);
		const before = Number(await mustRun(["df", "--output=used", "-k", disk.path]).then((text) => text.split("\n")[1]));
		await trees.copy({ root: source, path: "/" }, target);
		await mustRun(["sync", "-f", disk.path]);
		const after = Number(await mustRun(["df", "--output=used", "-k", disk.path]).then((text) => text.split("\n")[1]));
		expect(after - before).toBeLessThan(4 * 1024);
		expect(readFileSync(join(target, "big")).equals(readFileSync(join(source, "big")))).toBe(true);
		writeFileSync(join(target, "big"), "changed");
		expect(statSync(join(source, "big")).size).toBe(32 * 1024 ** 2);
	},
);
