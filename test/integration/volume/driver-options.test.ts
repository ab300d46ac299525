/** What the local driver mounts for its options, and limits. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VolumeRecord } from "../../../src/core/volume/volume-record.ts";
import { isMountPoint, mountsUnder, readMountInfo } from "../../../src/drivers/linux/mountinfo.ts";
import { hasProjectQuota } from "../../../src/drivers/linux/project-quota.ts";
import { FsVolumeDriver } from "../../../src/drivers/volume-local/fs-volume-driver.ts";
import { FsVolumeTrees } from "../../../src/drivers/volume-local/fs-volume-trees.ts";
import { mustRun, runCommand } from "../../support/commands.ts";
import { LoopFileSystem, type LoopOptions } from "../../support/loop-file-system.ts";

const MB = 1024 ** 2;
const base = mkdtempSync(join(tmpdir(), "gantry-options-"));
let root = "";
let driver = new FsVolumeDriver(root, new FsVolumeTrees());
let count = 0;

function volume(name: string, options: Record<string, string> = {}): VolumeRecord {
	return { name, driver: "local", options, labels: {}, createdAt: 0, anonymous: false };
}

/** What is mounted at a path: type, options of the mount, and of the file system. */
function mounted(path: string) {
	const entry = readMountInfo().find(({ mountPoint }) => mountPoint === path);
	return { type: entry?.fsType, options: entry?.options ?? [], data: entry?.superOptions ?? [], entry };
}

async function mountFailure(options: Record<string, string>): Promise<string> {
	const broken = volume("broken", options);
	await driver.create(broken);
	const reason = await driver.mount(broken, "one").then(
		() => "it was mounted",
		(error: unknown) => (error as Error).message,
	);
	expect(isMountPoint(driver.mountpoint("broken"))).toBe(false);
	await driver.remove(broken);
	return reason;
}

async function loopDevices(): Promise<string> {
	return (await mustRun(["losetup", "-a"]))
		.split("\n")
		.filter((line) => line.includes(base))
		.join("\n");
}

beforeEach(() => {
	root = join(base, String(count++));
	mkdirSync(root);
	driver = new FsVolumeDriver(root, new FsVolumeTrees());
});

afterAll(async () => {
	expect(mountsUnder(readMountInfo(), base)).toEqual([]);
	expect(await loopDevices()).toBe("");
	rmSync(base, { recursive: true });
});

describe("type, o and device", () => {
	test("give a bind its attributes and propagation", async () => {
		const source = join(base, "source");
		mkdirSync(source);
		writeFileSync(join(source, "file"), "here");
		const bound = volume("bound", { type: "none", device: source, o: "rbind,ro,nosuid,noexec,rshared" });
		await driver.create(bound);
		const path = await driver.mount(bound, "one");
		const { options, entry } = mounted(path);
		expect(options).toEqual(expect.arrayContaining(["ro", "nosuid", "noexec"]));
		expect(entry?.propagation.shared).toBeGreaterThan(0);
		await driver.unmount(bound, "one");
		await driver.remove(bound);
		expect(readdirSync(source)).toEqual(["file"]);
	});

	test("give an overlay", async () => {
		const layer = (name: string) => join(base, "overlay", name);
		for (const name of ["lower", "upper", "work"]) mkdirSync(layer(name), { recursive: true });
		writeFileSync(join(layer("lower"), "below"), "1");
		const o = `lowerdir=${layer("lower")},upperdir=${layer("upper")},workdir=${layer("work")},noatime`;
		const merged = volume("merged", { type: "overlay", device: "overlay", o });
		await driver.create(merged);
		const path = await driver.mount(merged, "one");
		expect(mounted(path)).toMatchObject({ type: "overlay", options: expect.arrayContaining(["noatime"]) });
		writeFileSync(join(path, "above"), "2");
		expect(readdirSync(path).sort()).toEqual(["above", "below"]);
		await driver.unmount(merged, "one");
		expect(readdirSync(layer("upper"))).toEqual(["above"]);
		await driver.remove(merged);
	});

	test("give a disk, by mount(8), with options of both kinds", async () => {
		const image = join(base, "disk.img");
		writeFileSync(image, "");
		await mustRun(["truncate", "-s", "32M", image]);
		await mustRun(["mkfs.ext4", "-q", "-F", image]);
		const device = await mustRun(["losetup", "--find", "--show", image]);
		try {
			const disk = volume("disk", { type: "ext4", device, o: "noatime,commit=7" });
			await driver.create(disk);
			const path = await driver.mount(disk, "one");
			expect(mounted(path)).toMatchObject({
				type: "ext4",
				options: expect.arrayContaining(["noatime"]),
				data: expect.arrayContaining(["commit=7"]),
			});
			await driver.unmount(disk, "one");
			expect(isMountPoint(path)).toBe(false);
			await driver.remove(disk);
		} finally {
			await mustRun(["losetup", "--detach", device]);
		}
	});

	test("of what this kernel does not have, or cannot reach, are an error with the reason", async () => {
		expect(await mountFailure({ type: "nosuchfs", device: "none" })).toMatch(
			/^error while mounting volume '.*\/broken\/_data': failed to mount local volume: mount none:.*: no such device/,
		);
		expect(await mountFailure({ type: "ext4", device: "/dev/nosuch" })).toContain("/dev/nosuch does not exist");
		const kernel = readFileSync("/proc/filesystems", "utf8");
		for (const type of ["nfs", "nfs4"])
			if (!new RegExp(`\\t${type}$`, "m").test(kernel))
				expect(await mountFailure({ type, device: ":/export", o: "addr=127.0.0.1,nfsvers=4" })).toMatch(
					/mount :\/export:.*data: addr=127\.0\.0\.1,nfsvers=4: no such device/,
				);
		expect(await mountFailure({ type: "nfs", device: ":/export", o: "addr=no.such.host.invalid" })).toContain(
			"error resolving passed in network volume address: lookup no.such.host.invalid: no such host",
		);
		expect(await mountFailure({ type: "cifs", device: "//no.such.host.invalid/share" })).toContain("no such host");
		const secret = await mountFailure({ type: "cifs", device: "//127.0.0.1/x", o: "user=me,password=hunter2,vers=3" });
		expect(secret).toContain("password=********,vers=3");
		expect(secret).not.toContain("hunter2");
		const last = await mountFailure({ type: "cifs", device: "//127.0.0.1/x", o: "user=me,password=hunter 2: x" });
		expect(last).toContain("password=********: ");
		expect(last).not.toMatch(/hunter|2: x/);
		expect(() => driver.check(volume("x1", { type: "cifs", device: "//host:445/x" }))).toThrow(
			"create x1: port not allowed in CIFS device URL, include 'port' in 'o='",
		);
	});

	test("fill what they mount from the image, in place and never through links", async () => {
		const image = join(base, "image");
		mkdirSync(join(image, "data/sub"), { recursive: true });
		writeFileSync(join(image, "data/sub/file"), "of the image");
		const memory = volume("memory", { type: "tmpfs", device: "tmpfs" });
		await driver.create(memory);
		const path = await driver.mount(memory, "one");
		await driver.populate(memory, image, "/data");
		expect(readFileSync(join(path, "sub/file"), "utf8")).toBe("of the image");
		await driver.unmount(memory, "one");
		await driver.remove(memory);
	});
});

describe("size", () => {
	test("with a type and no device is a disk of its own, which is full when it is full", async () => {
		const small = volume("small", { type: "ext4", size: "16m", o: "noatime" });
		expect(driver.isMadeInSteps(small)).toBe(true);
		await driver.create(small);
		const path = driver.mountpoint("small");
		expect(isMountPoint(path)).toBe(false);
		expect(await driver.mount(small, "one")).toBe(path);
		expect(mounted(path)).toMatchObject({ type: "ext4", options: expect.arrayContaining(["noatime"]) });
		expect(readdirSync(path)).toEqual([]);
		const { blocks, bsize } = statfsSync(path);
		expect(blocks * bsize).toBeWithin(8 * MB, 16 * MB);
		expect(() => writeFileSync(join(path, "big"), Buffer.alloc(20 * MB))).toThrow("ENOSPC");
		writeFileSync(join(path, "big"), "little");
		expect(await driver.usage(small)).toBeGreaterThan(0);
		await driver.unmount(small, "one");
		expect(isMountPoint(path)).toBe(false);
		await driver.mount(small, "two");
		expect(readFileSync(join(path, "big"), "utf8")).toBe("little");
		await driver.unmount(small, "two");
		await driver.remove(small);
		expect(readdirSync(root)).toEqual([]);
		expect(await loopDevices()).toBe("");
	});

	test("of a disk that cannot be made is an error, and nothing of it stays when it is removed", async () => {
		const tiny = volume("tiny", { type: "ext4", size: "1k" });
		await expect(driver.create(tiny)).rejects.toThrow(/error while creating volume path '.*': mkfs\.ext4: /);
		await driver.remove(tiny);
		expect(readdirSync(root)).toEqual([]);
	});

	test.each([
		[{ size: "abc" }, "create x1: invalid size: 'abc'"],
		[{ size: "10m", type: "tmpfs", device: "tmpfs" }, "the size of what a device holds cannot be limited"],
		[{ size: "10m", type: "tmpfs" }, "quota size requested but no quota support"],
		[{ type: "ext4" }, 'missing required option: "device"'],
		[{ o: "ro" }, 'missing required option: "device"'],
	] as [Record<string, string>, string][])("%j is refused", (options, message) => {
		expect(() => driver.check(volume("x1", options))).toThrow(message);
	});

	test("alone is refused where the file system has no quotas", () => {
		if (hasProjectQuota(root)) return console.log("not tested: the machine's own file system has project quotas");
		expect(() => driver.check(volume("x1", { size: "1g" }))).toThrow("quota size requested but no quota support");
	});

	const limiting: LoopOptions[] = [
		{
			type: "ext4",
			makeArguments: ["-O", "quota,project", "-E", "quotatype=prjquota"],
			mountOptions: ["prjquota"],
		},
		{ type: "xfs", sizeBytes: 320 * MB, mountOptions: ["pquota"] },
	];
	for (const options of limiting)
		test(`alone is a project quota on ${options.type}`, async () => {
			const disk = await LoopFileSystem.make(options).catch((error: unknown) => String(error).split("\n")[0] ?? "");
			if (typeof disk === "string") return console.log(`not tested: a project quota on ${options.type}: ${disk}`);
			await using _ = disk;
			if (!hasProjectQuota(disk.path)) return console.log(`not tested: the kernel has no quotas on ${options.type}`);
			driver = new FsVolumeDriver(disk.path, new FsVolumeTrees());
			const limited = volume("limited", { size: "4m" });
			await driver.create(limited);
			const path = await driver.mount(limited, "one");
			const { blocks, bsize } = statfsSync(path);
			expect(blocks * bsize).toBe(4 * MB);
			// Whoever may exceed limits (CAP_SYS_RESOURCE) is not bound by them everywhere.
			const write = (file: string) => ["dd", "if=/dev/zero", `of=${file}`, "bs=1M", "count=8", "conv=fsync"];
			const bound = ["setpriv", "--bounding-set", "-sys_resource"];
			const refused = await runCommand([...bound, ...write(join(path, "big"))]);
			expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/quota exceeded|No space left/i)]);
			const image = join(base, `image-${options.type}`);
			mkdirSync(join(image, "data"), { recursive: true });
			writeFileSync(join(image, "data/file"), "of the image");
			rmSync(join(path, "big"));
			await driver.populate(limited, image, "/data");
			expect(readdirSync(path)).toEqual(["file"]);
			expect((await runCommand([...bound, ...write(join(path, "big"))])).code).toBe(1);
			await driver.create(volume("free"));
			await mustRun([...bound, ...write(join(driver.mountpoint("free"), "big"))]);
			await driver.unmount(limited, "one");
			await driver.rename("limited", volume("renamed", { size: "4m" }));
			expect((await runCommand([...bound, ...write(join(driver.mountpoint("renamed"), "more"))])).code).toBe(1);
			await driver.remove(volume("renamed", { size: "4m" }));
			expect(readdirSync(disk.path)).not.toContain("renamed");
		});
});

test("a mount that is there twice over goes with its last holder, by whichever program it was made", async () => {
	const memory = volume("memory", { type: "tmpfs", device: "tmpfs" });
	await driver.create(memory);
	const path = await driver.mount(memory, "one");
	await runCommand(["mount", "-t", "tmpfs", "over", path]);
	await driver.unmount(memory, "one");
	expect(isMountPoint(path)).toBe(false);
});
