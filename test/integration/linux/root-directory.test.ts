import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { errnoCode } from "../../../src/base/errors.ts";
import { closeDescriptor, dataRanges, O } from "../../../src/drivers/linux/file-descriptors.ts";
import { deviceNumber, RootDirectory, splitPath } from "../../../src/drivers/linux/root-directory.ts";

let base: string;
let root: RootDirectory;

beforeEach(() => {
	base = mkdtempSync("/tmp/gantry-rootdir-");
	mkdirSync(`${base}/root`);
	writeFileSync(`${base}/secret`, "outside");
	root = RootDirectory.open(`${base}/root`);
});

afterEach(() => {
	root.close();
	rmSync(base, { recursive: true, force: true });
});

function codeOf(action: () => unknown): string | undefined {
	try {
		action();
	} catch (error) {
		return errnoCode(error);
	}
	return undefined;
}

function read(path: string): string {
	const fd = root.openFile(path, O.RDONLY);
	try {
		return readFileSync(fd, "utf8");
	} finally {
		closeDescriptor(fd);
	}
}

function write(path: string, text: string): void {
	const fd = root.openFile(path, O.WRONLY | O.CREAT | O.TRUNC, 0o644);
	try {
		writeSync(fd, text);
	} finally {
		closeDescriptor(fd);
	}
}

describe("paths that try to leave the root", () => {
	for (const path of ["../secret", "/../../secret", "up/secret", "absolute", "up/../../secret", "chain/secret"])
		test(`${path} stays inside`, () => {
			symlinkSync("..", `${base}/root/up`);
			symlinkSync(`${base}/secret`, `${base}/root/absolute`);
			symlinkSync("up/../up", `${base}/root/chain`);
			expect(codeOf(() => read(path))).toBe("ENOENT");
			if (path === "absolute") return;
			write(path, "inside");
			expect(readFileSync(`${base}/secret`, "utf8")).toBe("outside");
			expect(readFileSync(`${base}/root/secret`, "utf8")).toBe("inside");
		});

	test("an absolute symlink to a directory resolves inside the root for every kind of operation", () => {
		mkdirSync(`${base}/target`);
		symlinkSync(`${base}/target`, `${base}/root/door`);
		expect(codeOf(() => root.makeDirectory("door/x", 0o755))).toBe("ENOENT");
		expect(codeOf(() => root.makeNode("door/x", "fifo", 0o644))).toBe("ENOENT");
		expect(codeOf(() => root.makeSymlink("a", "door/x"))).toBe("ENOENT");
		write("file", "1");
		expect(codeOf(() => root.makeLink("file", "door/x"))).toBe("ENOENT");
		expect(codeOf(() => root.rename("file", "door/x"))).toBe("ENOENT");
		expect(codeOf(() => root.removeAll("door/../../secret"))).toBeUndefined();
		expect(existsSync(`${base}/secret`)).toBe(true);
		expect(existsSync(`${base}/target/x`)).toBe(false);
	});

	test("removal of a symlink removes the link, not what it points to", () => {
		mkdirSync(`${base}/target`);
		writeFileSync(`${base}/target/kept`, "");
		root.makeDirectory("d", 0o755);
		symlinkSync(`${base}/target`, `${base}/root/d/door`);
		root.removeAll("d");
		expect(existsSync(`${base}/target/kept`)).toBe(true);
		expect(root.statusIfExists("d")).toBeUndefined();
	});

	test("magic links of /proc are refused", () => {
		const proc = RootDirectory.open("/proc");
		try {
			expect(codeOf(() => proc.openFile(`${process.pid}/root`, O.PATH))).toBe("ELOOP");
		} finally {
			proc.close();
		}
	});

	test("the root itself cannot be removed", () => {
		write("kept", "1");
		for (const path of ["/", "", ".", ".."]) expect(codeOf(() => root.removeAll(path))).toBe("EBUSY");
		expect(read("kept")).toBe("1");
	});

	test("a NUL in a path is an error, not an end", () => {
		expect(codeOf(() => root.makeDirectory("a\0b", 0o755))).toBe("EINVAL");
		expect(codeOf(() => root.makeDirectory(Buffer.from("a\0b"), 0o755))).toBe("EINVAL");
	});
});

describe("attributes of files", () => {
	test("owner, permissions, times and xattrs of a file and of a symlink are set and read back", () => {
		write("file", "x");
		root.makeSymlink("/nowhere", "link");
		for (const name of ["file", "link"]) {
			root.changeOwner(name, 1234, 5678);
			root.setTimes(name, 1_000_000_001n, -1_500_000_000n);
			root.setAttribute(name, "trusted.overlay.opaque", Buffer.from("y"));
		}
		root.changePermissions("file", 0o4755);
		const status = root.status("file");
		expect([status.uid, status.gid, status.permissions, status.kind]).toEqual([1234, 5678, 0o4755, "file"]);
		expect([status.accessedNs, status.modifiedNs]).toEqual([1_000_000_001n, -1_500_000_000n]);
		expect(root.status("link").modifiedNs).toBe(-1_500_000_000n);
		expect(root.status("link").kind).toBe("symlink");
		expect(root.getAttribute("link", "trusted.overlay.opaque")?.toString()).toBe("y");
		expect(root.listAttributes("file")).toContain("trusted.overlay.opaque");
		root.removeAttribute("file", "trusted.overlay.opaque");
		expect(root.getAttribute("file", "trusted.overlay.opaque")).toBeUndefined();
	});

	test("permissions of a symlink are refused and its target is not touched", () => {
		write("file", "x");
		root.changePermissions("file", 0o600);
		root.makeSymlink("file", "link");
		expect(codeOf(() => root.changePermissions("link", 0o777))).toBe("EOPNOTSUPP");
		expect(root.status("file").permissions).toBe(0o600);
	});

	test("device nodes carry their numbers", () => {
		root.makeNode("null", "character-device", 0o666, 1, 3);
		root.makeNode("big", "block-device", 0o600, 259, 70000);
		const null_ = root.status("null");
		expect([null_.kind, null_.deviceMajor, null_.deviceMinor]).toEqual(["character-device", 1, 3]);
		const big = root.status("big");
		expect([big.kind, big.deviceMajor, big.deviceMinor]).toEqual(["block-device", 259, 70000]);
		expect(statSync(`${base}/root/big`).rdev).toBe(deviceNumber(259, 70000));
	});

	test("hard links to a symlink link the symlink", () => {
		root.makeSymlink("nowhere", "link");
		root.makeLink("link", "second");
		expect(root.readLink("second").toString()).toBe("nowhere");
		expect(root.status("link").linkCount).toBe(2);
	});

	test("names that are not UTF-8 survive", () => {
		const name = Buffer.from([0x64, 0xff, 0xfe]);
		root.makeDirectory(name, 0o755);
		expect(root.readDirectory("/").map((entry) => entry.toString("hex"))).toEqual([name.toString("hex")]);
		root.removeAll(name);
		expect(root.readDirectory("/")).toEqual([]);
	});

	test("holes of a sparse file are found", () => {
		const fd = root.openFile("sparse", O.RDWR | O.CREAT, 0o600);
		writeSync(fd, "a", 0);
		writeSync(fd, "b", 1 << 20);
		const ranges = dataRanges(fd, (1 << 20) + 1);
		closeDescriptor(fd);
		expect(ranges.map((range) => range.offset)).toEqual([0, 1 << 20]);
	});
});

test("a tree nested deeper than there are descriptors is removed", () => {
	root.makeDirectory("deep", 0o755);
	let current = root.openDirectory("deep");
	for (let level = 0; level < 3000; level++) {
		current.makeDirectory("d", 0o755);
		current.makeNode("f", "fifo", 0o600);
		const next = current.openDirectory("d");
		current.close();
		current = next;
	}
	current.close();
	const before = RootDirectory.open("/proc/self/fd");
	const open = before.readDirectory(".").length;
	root.removeAll("deep");
	expect(before.readDirectory(".").length).toBe(open);
	before.close();
	expect(root.readDirectory("/")).toEqual([]);
});

test("makeDirectories() makes the missing ones and says whether there was anything to do", () => {
	expect(root.makeDirectories("a/b/c")).toBe(true);
	expect(root.makeDirectories("a/b/c/")).toBe(false);
	write("a/file", "x");
	expect(codeOf(() => root.makeDirectories("a/file"))).toBe("ENOTDIR");
	expect(codeOf(() => root.makeDirectories("a/file/x"))).toBe("ENOTDIR");
});

test("the cached parent directory is not used once its path means something else", () => {
	root.makeDirectories("one/sub");
	root.makeDirectories("two/sub");
	root.makeSymlink("one", "current");
	write("current/sub/first", "1");
	root.makeNode("current/sub/fifo", "fifo", 0o600);
	root.unlink("current");
	root.makeSymlink("two", "current");
	root.makeNode("current/sub/second", "fifo", 0o600);
	expect(root.readDirectory("two/sub").map(String)).toEqual(["second"]);
});

test("a root directory leaks no descriptor", () => {
	const count = () => RootDirectory.open("/proc/self/fd").readDirectory(".").length;
	count();
	const before = count();
	using other = RootDirectory.open(base);
	for (let round = 0; round < 50; round++) {
		other.makeDirectories(`r${round}/x/y`);
		other.removeAll(`r${round}`);
		codeOf(() => other.status("missing/x"));
	}
	// `count` itself leaves its own root open, and `other` is.
	expect(count() - before).toBeLessThanOrEqual(3);
});

describe("splitPath()", () => {
	for (const [path, parent, name] of [
		["a", "", "a"],
		["/a/", "", "a"],
		["a//b///", "a", "b"],
		["", "", "."],
		["/", "", "."],
		["a/..", "a/..", "."],
		["a/.", "a/.", "."],
		["a/...", "a", "..."],
	] as const)
		test(`"${path}" is "${name}" in "${parent}"`, () => {
			const split = splitPath(Buffer.from(path));
			expect([Buffer.from(split.parent).toString(), Buffer.from(split.name).toString()]).toEqual([parent, name]);
		});
});
