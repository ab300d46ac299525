/** The host's side of containers' files, on the real kernel and against hostile roots. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalContainerFiles } from "../../../src/drivers/container-files/local-container-files.ts";
import { isMountPoint, mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-container-files-"));
const ID = "0".repeat(63);
let base = "";
let files = new LocalContainerFiles({ dataRoot: join(directory, "data"), execRoot: join(directory, "exec") });
let count = 0;

beforeEach(() => {
	base = join(directory, String(count++));
	files = new LocalContainerFiles({ dataRoot: join(base, "data"), execRoot: join(base, "exec") });
});

afterAll(() => {
	expect(mountsUnder(readMountInfo(), directory)).toEqual([]);
	rmSync(directory, { recursive: true });
});

function makeRoot(): string {
	const root = join(base, "root");
	mkdirSync(join(root, "etc"), { recursive: true });
	return root;
}

describe("a hostile root", () => {
	test("shows its own accounts only, whatever its links say", () => {
		const root = makeRoot();
		expect(files.readAccounts(root)).toEqual({ passwd: "", group: "" });
		symlinkSync("/etc/real", join(root, "etc/passwd"));
		symlinkSync("../../../../../../etc/group", join(root, "etc/group"));
		writeFileSync(join(root, "etc/real"), "root:x:0:0");
		expect(files.readAccounts(root)).toEqual({ passwd: "root:x:0:0", group: "" });
	});

	test("a fifo in place of a file does not stop the daemon, a huge file does not fill it", async () => {
		const root = makeRoot();
		expect(await Bun.spawn(["mkfifo", join(root, "etc/passwd")]).exited).toBe(0);
		expect(await Bun.spawn(["truncate", "-s", "1G", join(root, "etc/group")]).exited).toBe(0);
		expect(() => files.readAccounts(root)).toThrow("larger than 4 MiB");
	});

	test("directories are made inside it", () => {
		const root = makeRoot();
		symlinkSync(base, join(root, "out"));
		expect(() => files.ensureDirectory(root, "/out/made")).toThrow("Cannot mkdir /out/made");
		files.ensureDirectory(root, "/deep/down");
		expect(existsSync(join(root, "deep/down"))).toBe(true);
		expect(existsSync(join(base, "made"))).toBe(false);
		writeFileSync(join(root, "file"), "");
		expect(() => files.ensureDirectory(root, "/file/below")).toThrow("is not a directory");
	});

	test("a part of a volume never leads out of it, whatever becomes of its path afterwards", () => {
		const root = makeRoot();
		mkdirSync(join(root, "part"));
		writeFileSync(join(root, "part/file"), "of the volume");
		symlinkSync("/part", join(root, "out"));
		const part = files.mountSubpath(ID, root, "out");
		const single = files.mountSubpath(ID, root, "part/file");
		renameSync(join(root, "part"), join(root, "moved"));
		symlinkSync("/etc", join(root, "part"));
		expect(readdirSync(part)).toEqual(["file"]);
		expect(readFileSync(single, "utf8")).toBe("of the volume");
		expect(() => files.mountSubpath(ID, root, "nosuch")).toThrow("cannot access path");
		files.releaseSubpaths(ID);
		files.releaseSubpaths(ID);
		expect(existsSync(part)).toBe(false);
		expect(readdirSync(join(root, "moved"))).toEqual(["file"]);
	});
});

describe("a temporary tree", () => {
	test("shows root and mounts, read-only where they are, and leaves no mount", async () => {
		const root = makeRoot();
		const volume = join(base, "volume");
		mkdirSync(volume);
		writeFileSync(join(volume, "file"), "in the volume");
		writeFileSync(join(base, "single"), "a file");
		const tree = await files.mountTree(ID, { path: root, readOnly: false }, [
			{ source: join(base, "single"), target: "/etc/single", readOnly: true },
			{ source: volume, target: "/data/deep", readOnly: false },
		]);
		expect(readFileSync(join(tree, "data/deep/file"), "utf8")).toBe("in the volume");
		expect(readFileSync(join(tree, "etc/single"), "utf8")).toBe("a file");
		expect(() => writeFileSync(join(tree, "etc/single"), "changed")).toThrow("EROFS");
		writeFileSync(join(tree, "data/deep/new"), "n");
		expect(existsSync(join(volume, "new"))).toBe(true);
		await files.unmountTree(tree);
		expect(existsSync(tree)).toBe(false);
		expect(mountsUnder(readMountInfo(), base)).toEqual([]);
	});

	test("a mount point that is a link to the host does not mount over the host", async () => {
		const root = makeRoot();
		const victim = join(base, "victim");
		mkdirSync(victim);
		symlinkSync(victim, join(root, "data"));
		const source = join(base, "source");
		mkdirSync(source);
		const tree = await files
			.mountTree(ID, { path: root, readOnly: false }, [{ source, target: "/data", readOnly: false }])
			.catch(() => undefined);
		expect(isMountPoint(victim)).toBe(false);
		if (tree !== undefined) await files.unmountTree(tree);
	});
});

describe("bundles", () => {
	test("hold shared memory until they are removed, and go with a crash's leftovers", async () => {
		files.writeBundle(ID, { ociVersion: "1.0.2" });
		const shm = files.mountSharedMemory(ID, 1024 ** 2);
		files.mountSharedMemory(ID, 1024 ** 2);
		expect(mountsUnder(readMountInfo(), base)).toHaveLength(1);
		files.createDirectory(ID);
		await files.cleanUp({ containers: new Set([ID]), running: new Set([ID]) });
		expect(isMountPoint(shm)).toBe(true);
		await files.cleanUp({ containers: new Set(), running: new Set() });
		expect(mountsUnder(readMountInfo(), base)).toEqual([]);
		expect(existsSync(files.paths(ID).bundle)).toBe(false);
		expect(existsSync(files.paths(ID).directory)).toBe(false);
	});
});

describe("devices", () => {
	test("are found by path, and below a directory", () => {
		expect(files.devices("/dev/null")).toEqual([
			{ path: "/dev/null", type: "c", major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 },
		]);
		expect(files.devices("/etc/passwd")).toEqual([]);
		expect(() => files.devices("/dev/nosuch")).toThrow(
			'error gathering device information while adding custom device "/dev/nosuch": no such file or directory',
		);
		const paths = files.allDevices().map(({ path }) => path);
		expect(paths).toContain("/dev/null");
		expect(paths.some((path) => path.startsWith("/dev/pts/"))).toBe(false);
	});

	test("are found where they are bound over files, as in a /dev made of them", () => {
		const dev = join(base, "dev");
		mkdirSync(dev, { recursive: true });
		writeFileSync(join(dev, "null"), "");
		writeFileSync(join(dev, "file"), "");
		symlinkSync("null", join(dev, "link"));
		expect(Bun.spawnSync(["mount", "--bind", "/dev/null", join(dev, "null")]).exitCode).toBe(0);
		try {
			expect(files.devices(dev)).toMatchObject([{ path: join(dev, "null"), type: "c", major: 1, minor: 3 }]);
		} finally {
			Bun.spawnSync(["umount", join(dev, "null")]);
		}
	});
});

test("editNetworkFile() changes a file in place, but does not read one that its container has blown up", () => {
	files.createDirectory(ID);
	files.writeNetworkFiles(ID, { hosts: "one\n", hostname: "", resolvConf: "" });
	const { hosts } = files.paths(ID);
	files.editNetworkFile(ID, "hosts", (text) => `${text}two\n`);
	expect(readFileSync(hosts, "utf8")).toBe("one\ntwo\n");
	truncateSync(hosts, 2 ** 40);
	files.editNetworkFile(ID, "hosts", () => "read");
	expect(statSync(hosts).size).toBe(2 ** 40);
});
