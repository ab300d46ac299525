/** The local volume driver on the real kernel. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VolumeRecord } from "../../../src/core/volume/volume-record.ts";
import { isMountPoint, mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import { FsVolumeDriver } from "../../../src/drivers/volume-local/fs-volume-driver.ts";
import { FsVolumeTrees } from "../../../src/drivers/volume-local/fs-volume-trees.ts";
import { mustRun } from "../../support/commands.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-volumes-"));
let root = "";
let driver = new FsVolumeDriver(root, new FsVolumeTrees());
let count = 0;

function volume(name: string, options: Record<string, string> = {}): VolumeRecord {
	return { name, driver: "local", options, labels: {}, createdAt: 0, anonymous: false };
}

beforeEach(() => {
	root = join(directory, String(count++));
	mkdirSync(root);
	driver = new FsVolumeDriver(root, new FsVolumeTrees());
});

afterAll(() => {
	expect(mountsUnder(readMountInfo(), directory)).toEqual([]);
	rmSync(directory, { recursive: true });
});

describe("files", () => {
	test("are made, kept, and removed as a whole", async () => {
		const data = volume("data");
		await driver.create(data);
		await driver.create(data);
		writeFileSync(join(driver.mountpoint("data"), "file"), "12345");
		linkSync(join(driver.mountpoint("data"), "file"), join(driver.mountpoint("data"), "same"));
		expect(await driver.usage(data)).toBe(5);
		await driver.remove(data);
		await driver.remove(data);
		expect(readdirSync(root)).toEqual([]);
	});

	test("a fresh volume takes the image's files with owners, modes and links, and its directory's own", async () => {
		const image = join(directory, "image");
		mkdirSync(join(image, "srv/data/sub"), { recursive: true, mode: 0o755 });
		chownSync(join(image, "srv/data"), 12, 34);
		writeFileSync(join(image, "srv/data/file"), "x", { mode: 0o640 });
		chownSync(join(image, "srv/data/file"), 56, 78);
		symlinkSync("/etc/passwd", join(image, "srv/data/link"));
		symlinkSync("/srv", join(image, "alias"));
		const data = volume("data");
		await driver.create(data);
		await driver.populate(data, image, "/alias/data");
		const target = driver.mountpoint("data");
		expect(statSync(target)).toMatchObject({ uid: 12, gid: 34 });
		expect(statSync(join(target, "file"))).toMatchObject({ uid: 56, gid: 78, mode: 0o100640 });
		expect(readlinkSync(join(target, "link"))).toBe("/etc/passwd");
		expect(lstatSync(join(target, "sub")).isDirectory()).toBe(true);
	});

	test("a volume that containers have mounted is filled in place, and not through links that they put there", async () => {
		const image = join(directory, "image-shared");
		const victim = join(directory, "victim");
		mkdirSync(join(image, "data/sub"), { recursive: true });
		writeFileSync(join(image, "data/file"), "from the image");
		writeFileSync(join(image, "data/sub/other"), "from the image");
		writeFileSync(victim, "of the host");
		const data = volume("data");
		await driver.create(data);
		const target = await driver.mount(data, "one");
		await driver.mount(data, "two");
		const { ino } = statSync(target);
		// The link comes after the volume was found empty, which happens before the call returns, and before anything is moved.
		const filled = driver.populate(data, image, "/data");
		symlinkSync(victim, join(target, "file"));
		await filled;
		expect(readFileSync(victim, "utf8")).toBe("of the host");
		rmSync(join(target, "file"));
		rmSync(join(target, "sub"), { recursive: true, force: true });
		chmodSync(join(image, "data"), 0o1777);
		await driver.populate(data, image, "/data");
		expect(statSync(target)).toMatchObject({ ino, mode: 0o041777 });
		expect(readdirSync(target).sort()).toEqual(["file", "sub"]);
		expect(readdirSync(join(root, "data"))).toEqual(["_data"]);
		await driver.unmount(data, "one");
		await driver.unmount(data, "two");
	});

	test("a volume with files is never filled, and a directory the image does not have is nothing to copy", async () => {
		const image = join(directory, "image-2");
		mkdirSync(join(image, "data"), { recursive: true });
		writeFileSync(join(image, "data/file"), "from the image");
		const data = volume("data");
		await driver.create(data);
		await driver.populate(data, image, "/nosuch");
		writeFileSync(join(driver.mountpoint("data"), "own"), "mine");
		await driver.populate(data, image, "/data");
		expect(readdirSync(driver.mountpoint("data"))).toEqual(["own"]);
	});

	test("a link out of the image copies nothing of the host", async () => {
		const image = join(directory, "image-3");
		const outside = join(directory, "outside");
		mkdirSync(image);
		mkdirSync(outside);
		writeFileSync(join(outside, "secret"), "s");
		symlinkSync(outside, join(image, "data"));
		const data = volume("data");
		await driver.create(data);
		await driver.populate(data, image, "/data");
		expect(readdirSync(driver.mountpoint("data"))).toEqual([]);
	});
});

describe("options", () => {
	test("mount a file system for as long as a container holds it", async () => {
		const cache = volume("cache", { type: "tmpfs", device: "tmpfs", o: "size=1m,uid=7,noexec" });
		await driver.create(cache);
		const path = await driver.mount(cache, "one");
		await driver.mount(cache, "one");
		await driver.mount(cache, "two");
		expect(statSync(path).uid).toBe(7);
		expect(readMountInfo().find(({ mountPoint }) => mountPoint === path)?.options).toContain("noexec");
		await driver.unmount(cache, "one");
		expect(isMountPoint(path)).toBe(true);
		await expect(driver.remove(cache)).rejects.toThrow("volume has active mounts");
		await driver.unmount(cache, "two");
		expect(isMountPoint(path)).toBe(false);
		await driver.remove(cache);
	});

	test("bind a directory of the host", async () => {
		const source = join(directory, "source");
		mkdirSync(source);
		writeFileSync(join(source, "file"), "here");
		const bound = volume("bound", { type: "none", device: source, o: "bind" });
		await driver.create(bound);
		const path = await driver.mount(bound, "one");
		expect(readFileSync(join(path, "file"), "utf8")).toBe("here");
		await driver.unmount(bound, "one");
		await driver.remove(bound);
		expect(existsSync(join(source, "file"))).toBe(true);
	});

	test("that no flag is named after are data of the file system", async () => {
		const odd = volume("odd", { type: "tmpfs", device: "tmpfs", o: "constructor" });
		await driver.create(odd);
		await expect(driver.mount(odd, "one")).rejects.toThrow("data: constructor");
	});

	test("that cannot be mounted are an error with the kernel's reason", async () => {
		const broken = volume("broken", { type: "none", device: "/nosuch", o: "bind" });
		await driver.create(broken);
		await expect(driver.mount(broken, "one")).rejects.toThrow(
			/error while mounting volume '.*\/broken\/_data': .*no such file or directory/,
		);
		expect(isMountPoint(driver.mountpoint("broken"))).toBe(false);
	});

	test.each([
		[{ foo: "bar" }, 'invalid option: "foo"'],
		[{ type: "tmpfs" }, 'missing required option: "device"'],
		[{ device: "tmpfs" }, 'missing required option: "type"'],
		[{ size: "1g" }, "quota size requested but no quota support"],
	] as [Record<string, string>, string][])("%j are refused", (options, message) => {
		expect(() => driver.check(volume("x1", options))).toThrow(message);
	});
});

describe("names and fillings", () => {
	test("a volume is filled aside, whole or not at all", async () => {
		const data = volume("data");
		await driver.create(data);
		const filled = driver.fill(data, async (directory) => {
			writeFileSync(join(directory, "file"), "1");
			expect(readdirSync(driver.mountpoint("data"))).toEqual([]);
		});
		await filled;
		expect(readdirSync(join(root, "data"))).toEqual(["_data"]);
		expect(readdirSync(driver.mountpoint("data"))).toEqual(["file"]);
		const failing = driver.fill(data, () => Promise.reject(new Error("torn")));
		await expect(failing).rejects.toThrow("torn");
		expect(readdirSync(driver.mountpoint("data"))).toEqual(["file"]);
	});

	test("a rename moves the files, once; what is in the way stays", async () => {
		const old = volume("old");
		await driver.create(old);
		writeFileSync(join(driver.mountpoint("old"), "file"), "mine");
		await driver.create(volume("taken"));
		await expect(driver.rename("old", volume("taken"))).rejects.toThrow("is there already");
		await driver.mount(old, "one");
		await expect(driver.rename("old", volume("new"))).rejects.toThrow("volume has active mounts");
		await driver.unmount(old, "one");
		await driver.rename("old", volume("new"));
		await driver.rename("old", volume("new"));
		expect(readFileSync(join(driver.mountpoint("new"), "file"), "utf8")).toBe("mine");
		expect([driver.exists("old"), driver.exists("new")]).toEqual([false, true]);
		await expect(driver.rename("none", volume("other"))).rejects.toThrow("no such file or directory");
	});

	test("a creation is taken back without the files that were there before", async () => {
		await driver.create(volume("fresh"));
		await driver.withdraw(volume("fresh"));
		await driver.create(volume("found"));
		writeFileSync(join(driver.mountpoint("found"), "file"), "whose?");
		await driver.withdraw(volume("found"));
		expect(readdirSync(root)).toEqual(["found"]);
		expect(readdirSync(driver.mountpoint("found"))).toEqual(["file"]);
	});

	test("nothing is removed through what somebody has mounted in a volume", async () => {
		const data = volume("data");
		await driver.create(data);
		const inner = join(driver.mountpoint("data"), "inner");
		mkdirSync(inner);
		await mustRun(["mount", "-t", "tmpfs", "gantry-inner", inner]);
		writeFileSync(join(inner, "file"), "not the volume's");
		await expect(driver.remove(data)).rejects.toThrow("something is mounted at");
		const [doomed = ""] = readdirSync(root);
		const { problems } = await driver.cleanUp({ names: new Set(), mounted: new Set() });
		expect(problems).toEqual([expect.stringContaining("something is mounted at")]);
		expect(readFileSync(join(root, doomed, "_data/inner/file"), "utf8")).toBe("not the volume's");
		await mustRun(["umount", join(root, doomed, "_data/inner")]);
		expect((await driver.cleanUp({ names: new Set(), mounted: new Set() })).problems).toEqual([]);
		expect(readdirSync(root)).toEqual([]);
	});
});

describe("after a crash", () => {
	test("what no record names is dropped when it is empty, and finished when its removal had begun", async () => {
		await driver.create(volume("kept"));
		await driver.create(volume("half-made"));
		await driver.create(volume("unknown"));
		writeFileSync(join(driver.mountpoint("unknown"), "file"), "whose?");
		mkdirSync(join(root, ".removed-abc"));
		mkdirSync(join(root, "hardly-begun"));
		await new FsVolumeDriver(root, new FsVolumeTrees()).cleanUp({ names: new Set(["kept"]), mounted: new Set() });
		expect(readdirSync(root).sort()).toEqual(["kept", "unknown"]);
	});

	test("a mount stays for a container that runs, and goes when none does", async () => {
		const cache = volume("cache", { type: "tmpfs", device: "tmpfs" });
		await driver.create(cache);
		const path = await driver.mount(cache, "one");
		writeFileSync(join(path, "file"), "still here");
		const names = new Set(["cache"]);
		const next = new FsVolumeDriver(root, new FsVolumeTrees());
		await next.cleanUp({ names, mounted: names });
		await next.mount(cache, "one");
		expect(readFileSync(join(path, "file"), "utf8")).toBe("still here");
		await new FsVolumeDriver(root, new FsVolumeTrees()).cleanUp({ names, mounted: new Set() });
		expect(isMountPoint(path)).toBe(false);
	});
});
