/** A full disk, and a damaged database. */
import { describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { auditDaemon, inspectAll } from "../../support/audit.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { tarOf } from "../../support/tar-builder.ts";

const CGROUPS = `/gantry-test-disk-${process.pid}`;
const DISK_BYTES = 32 * 1024 * 1024;

/** A daemon whose data root is a small file system of its own. */
class SmallDisk implements AsyncDisposable {
	private constructor(readonly daemon: TestDaemon) {}

	static async start(): Promise<SmallDisk> {
		const daemon = await TestDaemon.start({ args: [`--cgroup-parent=${CGROUPS}`] });
		await daemon.stop();
		await mustRun(["mount", "-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "gantry-small-disk", daemon.dataRoot]);
		await daemon.start();
		await daemon.loadBusybox();
		return new SmallDisk(daemon);
	}

	/** To the last byte. */
	fill(): void {
		const fd = openSync(join(this.daemon.dataRoot, "ballast"), "a");
		try {
			for (const size of [1 << 20, 1 << 12, 1]) while (writes(fd, Buffer.alloc(size))) {}
		} finally {
			closeSync(fd);
		}
	}

	async free(): Promise<void> {
		await mustRun(["rm", join(this.daemon.dataRoot, "ballast")]);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const { daemon } = this;
		if (existsSync(join(daemon.dataRoot, "ballast"))) await this.free();
		if (!daemon.isRunning) await daemon.start();
		for (const { Id } of await inspectAll(daemon)) await daemon.api("DELETE", `/containers/${Id}?force=1&v=1`);
		await daemon.stop();
		await mustRun(["umount", daemon.dataRoot]);
		await daemon.remove();
		await mustRun(["sh", "-c", `for path in /sys/fs/cgroup/*${CGROUPS}; do [ ! -d "$path" ] || rmdir "$path"; done`]);
	}
}

function writes(fd: number, bytes: Buffer): boolean {
	try {
		return writeSync(fd, bytes) === bytes.length;
	} catch {
		return false; // ENOSPC
	}
}

describe("a full disk", () => {
	test("refuses what needs space, says why, and loses nothing", async () => {
		await using disk = await SmallDisk.start();
		const { daemon } = disk;
		await daemon.mustDocker(["run", "-d", "--name", "old", "-v", "old:/v", "busybox", "sleep", "1000"]);
		const images = await daemon.mustDocker(["images", "--no-trunc", "-q"]);
		disk.fill();
		for (const args of [
			["create", "--name", "new", "busybox"],
			["run", "--name", "new", "busybox", "true"],
			["volume", "create", "new"],
			["tag", "busybox", "other:tag"],
			["rename", "old", "new"],
			["commit", "old", "new:image"],
			["exec", "old", "dd", "if=/dev/zero", "of=/file", "bs=4k", "count=1"],
		]) {
			const result = await daemon.docker(args);
			expect([args[0], result.code === 0, result.stderr.toLowerCase()]).toEqual([
				args[0],
				false,
				expect.stringContaining("no space left on device"),
			]);
		}
		const load = await daemon.docker(["import", "-", "new:import"], {
			stdin: tarOf({ name: "f", content: "x".repeat(1e6) }),
		});
		expect([load.code, load.stderr.toLowerCase()]).toEqual([1, expect.stringContaining("no space left on device")]);
		expect(await daemon.mustDocker(["ps", "-a", "--format", "{{.Names}}"])).toBe("old");
		expect(await daemon.mustDocker(["images", "--no-trunc", "-q"])).toBe(images);
		expect(await daemon.mustDocker(["volume", "ls", "-q"])).toBe("old");
		await disk.free();
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
		expect(await daemon.mustDocker(["run", "--rm", "--name", "new", "busybox", "echo", "fine"])).toBe("fine");
	});

	test("keeps no daemon from starting, and nothing from being stopped and removed", async () => {
		await using disk = await SmallDisk.start();
		const { daemon } = disk;
		for (const name of ["one", "two"])
			await daemon.mustDocker(["run", "-d", "--name", name, "--stop-signal", "KILL", "busybox", "sleep", "1000"]);
		await daemon.mustDocker(["volume", "create", "old"]);
		disk.fill();
		await daemon.kill();
		await daemon.start();
		expect(await daemon.mustDocker(["ps", "-q"])).not.toBe("");
		expect(await daemon.mustDocker(["stop", "one"])).toBe("one");
		expect(await daemon.mustDocker(["rm", "-f", "one", "two"])).toBe("one\ntwo");
		expect(await daemon.mustDocker(["volume", "rm", "old"])).toBe("old");
		expect(await daemon.mustDocker(["rmi", "busybox"])).toContain("Untagged: busybox:latest");
		disk.fill();
		await daemon.stop();
		await daemon.start();
		expect(await inspectAll(daemon)).toEqual([]);
		await disk.free();
		await daemon.loadBusybox();
		expect(await daemon.mustDocker(["run", "--rm", "busybox", "echo", "fine"])).toBe("fine");
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
	});

	test("loses no container's end: it is on record when there is space again", async () => {
		await using disk = await SmallDisk.start();
		const { daemon } = disk;
		const script = "trap 'exit 7' USR1; while :; do sleep 0.05; done";
		await daemon.mustDocker(["run", "-d", "--name", "ends", "busybox", "sh", "-c", script]);
		await daemon.mustDocker(["run", "-d", "--rm", "--name", "goes", "busybox", "sh", "-c", script]);
		await daemon.mustDocker(["run", "-d", "--restart", "always", "--name", "again", "busybox", "sh", "-c", script]);
		const containers = await inspectAll(daemon);
		const pidBefore = containers.find(({ Name }) => Name === "/again")?.State.Pid;
		disk.fill();
		for (const { State } of containers) process.kill(State.Pid, "SIGUSR1");
		await Bun.sleep(500);
		await disk.free();
		await waitFor("the ends", async () => {
			const states = Object.fromEntries((await inspectAll(daemon)).map(({ Name, State }) => [Name, State]));
			const { ["/ends"]: ends, ["/goes"]: goes, ["/again"]: again } = states;
			const isRestarted = again?.Status === "running" && again.Pid !== pidBefore;
			return ends?.Status === "exited" && ends.ExitCode === 7 && goes === undefined && isRestarted;
		});
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
	});
});

describe("a damaged database", () => {
	test("is named, changed by nobody, and the containers go on", async () => {
		await using daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		await daemon.mustDocker(["run", "-d", "--name", "runs", "busybox", "sleep", "1000"]);
		const pid = (await inspectAll(daemon))[0]?.State.Pid ?? 0;
		await daemon.stop();
		const path = join(daemon.dataRoot, "gantry.db");
		const good = readFileSync(path);
		const damaged = Buffer.from(good);
		damaged.fill("damage", 4096, 8192);
		writeFileSync(path, damaged);
		await expect(daemon.start()).rejects.toThrow(`database ${path} is damaged`);
		writeFileSync(path, "this is no database ".repeat(500));
		await expect(daemon.start()).rejects.toThrow(`database ${path} is damaged`);
		expect(readFileSync(path, "utf8")).toStartWith("this is no database");
		expect(existsSync(`/proc/${pid}`)).toBe(true);
		expect(readdirSync(`${daemon.execRoot}/shim`)).toHaveLength(1);
		writeFileSync(path, good);
		await daemon.start();
		expect((await inspectAll(daemon))[0]?.State).toMatchObject({ Pid: pid, Status: "running" });
	});

	test("with one record that cannot be read names the record", async () => {
		await using daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		const id = await daemon.mustDocker(["create", "busybox"]);
		await daemon.stop();
		const { Database } = await import("bun:sqlite");
		const database = new Database(join(daemon.dataRoot, "gantry.db"));
		const record = (database.query("SELECT record FROM containers").get() as { record: string }).record;
		database.run("UPDATE containers SET record = '{'");
		await expect(daemon.start()).rejects.toThrow(`container ${id} is damaged`);
		database.query("UPDATE containers SET record = ?").run(record);
		database.close();
		await daemon.start();
		expect((await inspectAll(daemon))[0]?.Id).toBe(id);
	});
});
