/** What a container is kept from by default, and which flag lifts what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";

/** The fourteen capabilities of Docker's default. */
const DEFAULT_CAPABILITIES = "00000000a80425fb";

describe("the isolation of docker run", () => {
	let daemon: TestDaemon;
	let before: MachineSnapshot;

	beforeAll(async () => {
		daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		before = await takeSnapshot(daemon.isOurs);
	}, 60_000);

	afterAll(async () => {
		try {
			await expectNoLeaks(before, { isOurs: daemon.isOurs });
		} finally {
			await daemon.remove();
		}
	}, 60_000);

	/** Output of a script in a container. */
	const sh = (flags: readonly string[], script: string) =>
		daemon.mustDocker(["run", "--rm", ...flags, "busybox", "sh", "-c", `{ ${script}; } 2>&1 || true`]);
	const status = async (flags: readonly string[], field: string) => {
		const text = await sh(flags, `grep ^${field}: /proc/self/status`);
		return text.split(/\s+/)[1];
	};

	const fields: [name: string, flags: string[], field: string, value: string][] = [
		["grants fourteen capabilities", [], "CapBnd", DEFAULT_CAPABILITIES],
		["grants a plain user none that count", ["-u", "1000"], "CapEff", "0000000000000000"],
		["drops and adds", ["--cap-drop", "ALL", "--cap-add", "chown"], "CapEff", "0000000000000001"],
		["takes names with prefix", ["--cap-drop", "ALL", "--cap-add", "CAP_KILL"], "CapEff", "0000000000000020"],
		["filters system calls", [], "Seccomp", "2"],
		["filters none when unconfined", ["--security-opt", "seccomp=unconfined"], "Seccomp", "0"],
		["filters none when privileged", ["--privileged"], "Seccomp", "0"],
		["lets programs gain privileges", [], "NoNewPrivs", "0"],
		["does not with no-new-privileges", ["--security-opt", "no-new-privileges"], "NoNewPrivs", "1"],
	];
	for (const [name, flags, field, value] of fields)
		test(name, async () => expect(await status(flags, field)).toBe(value));

	test("privileged has all that the daemon has", async () => {
		const own = /^CapBnd:\s+(\w+)/m.exec(await Bun.file("/proc/self/status").text())?.[1];
		expect(await status(["--privileged"], "CapEff")).toBe(own);
	});

	test("refuses unknown capabilities and security options", async () => {
		const refused = [
			["--cap-add", "NOPE"],
			["--cap-drop", "NOPE"],
			["--security-opt", "nope=1"],
			["--security-opt", "seccomp=/nope"],
		];
		for (const flags of refused)
			expect((await daemon.docker(["run", "--rm", ...flags, "busybox", "true"])).code, flags.join(" ")).toBe(125);
	});

	test("blocks new namespaces and mounts by default; unconfined and privileged lift it", async () => {
		const script = "unshare -U true && echo user; unshare -m true && echo mount; mount -t tmpfs x /tmp && echo mounted";
		const words = async (flags: string[]) => (await sh(flags, script)).split("\n").filter((line) => /^\w+$/.test(line));
		expect(await words([])).toEqual([]);
		expect(await words(["--security-opt", "seccomp=unconfined"])).toEqual(["user"]);
		expect(await words(["--privileged"])).toEqual(["user", "mount", "mounted"]);
	});

	test("masks and protects kernel files; systempaths=unconfined does not", async () => {
		const script =
			"wc -c < /proc/keys; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/panic_on_oops && echo written";
		expect((await sh([], script)).split("\n").slice(0, 2)).toEqual(["0", "0"]);
		expect(await sh([], script)).toContain("Read-only file system");
		const mounts = "grep -c -e ' /proc/' -e ' /sys/firmware' /proc/self/mounts";
		expect(Number(await sh([], mounts))).toBeGreaterThan(5);
		expect(await sh(["--security-opt", "systempaths=unconfined"], mounts)).toBe("0");
	});

	test("a read-only root keeps its writable mounts", async () => {
		const script = "touch /x || echo root; touch /dev/shm/x && echo shm; touch /run/x && echo run";
		const flags = ["--read-only", "--tmpfs", "/run:size=1m,mode=700"];
		expect((await sh(flags, script)).split("\n").slice(1)).toEqual(["root", "shm", "run"]);
		expect(await sh(flags, "df -k /run | tail -1 | tr -s ' ' | cut -d' ' -f2; stat -c %a /run")).toBe("1024\n700");
		expect(await daemon.docker(["run", "--rm", "--tmpfs", "/x:nope=1", "busybox", "true"])).toMatchObject({
			code: 125,
			stderr: expect.stringContaining('invalid tmpfs option "nope"'),
		});
	});

	test("gives devices with their permissions, and no others", async () => {
		expect(await sh([], "mknod /tmp/d b 7 0; head -c1 /tmp/d")).toContain("Operation not permitted");
		expect(await sh([], "ls /dev | grep -c loop")).toBe("0");
		const device = ["--device", "/dev/loop0:/dev/disk:r"];
		expect(await sh(device, "head -c1 /dev/disk | wc -c; echo x > /dev/disk")).toMatch(/Operation not permitted/);
		expect(await sh(["--device-cgroup-rule", "b 7:* rmw"], "mknod /tmp/d b 7 0; head -c1 /tmp/d && echo ok")).toEndWith(
			"ok",
		);
		expect(await sh(["--privileged", "--device", "/dev/loop0:/dev/disk"], "ls /dev/disk /dev/loop0")).toBe(
			"/dev/disk\n/dev/loop0",
		);
		expect((await daemon.docker(["run", "--rm", "--device-cgroup-rule", "nope", "busybox"])).code).toBe(125);
	});

	const NAMESPACES = ["mnt", "pid", "net", "uts", "ipc", "cgroup"] as const;
	test("has namespaces of its own, and those of the host on request", async () => {
		const script = NAMESPACES.map((kind) => `readlink /proc/self/ns/${kind}`).join("; ");
		const host = NAMESPACES.map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
		const own = (await sh([], script)).split("\n");
		expect(own.filter((link) => host.includes(link))).toEqual([]);
		const shared = ["--pid", "host", "--network", "host", "--uts", "host", "--ipc", "host", "--cgroupns", "host"];
		expect((await sh(shared, script)).split("\n").slice(1)).toEqual(host.slice(1));
		expect(await sh(["--userns", "host"], "readlink /proc/self/ns/user")).toBe(readlinkSync("/proc/self/ns/user"));
	});

	test("joins the namespaces of another container", async () => {
		const donor = ["run", "-d", "--name", "donor", "--ipc", "shareable", "busybox"];
		await daemon.mustDocker([...donor, "sh", "-c", "echo shared > /dev/shm/f; exec sleep 100"]);
		await daemon.mustDocker(["run", "-d", "--name", "shut", "busybox", "sleep", "100"]);
		expect(await sh(["--pid", "container:donor"], "cat /proc/1/comm")).toBe("sleep");
		expect(await sh(["--ipc", "container:donor"], "cat /dev/shm/f")).toBe("shared");
		const refused = await daemon.docker(["run", "--rm", "--ipc", "container:shut", "busybox"]);
		expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("non-shareable IPC") });
		await daemon.mustDocker(["rm", "-f", "donor", "shut"]);
		for (const flag of ["--pid", "--ipc", "--network"])
			expect((await daemon.docker(["run", "--rm", flag, "container:donor", "busybox"])).code, flag).toBe(125);
	});

	test("sizes shared memory, limits resources, sets kernel parameters of its namespaces", async () => {
		const size = "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2";
		expect(await sh([], size)).toBe("65536");
		expect(await sh(["--shm-size", "3m"], size)).toBe("3072");
		expect(await sh(["--ipc", "none"], "grep -c /dev/shm /proc/self/mounts")).toBe("0");
		const limits = ["--ulimit", "nofile=100:200", "--ulimit", "core=0"];
		expect(await sh(limits, "ulimit -Sn; ulimit -Hn; ulimit -c")).toBe("100\n200\n0");
		const sysctls = ["--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.shmmax=123456"];
		expect(await sh(sysctls, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax")).toBe("0\n123456");
		const refused = [
			["--sysctl", "kernel.pid_max=5"],
			["--network", "host", "--sysctl", "net.ipv4.ip_forward=0"],
			["--ulimit", "nofile=200:100"],
			["--uts", "host", "--hostname", "x"],
		];
		for (const flags of refused)
			expect((await daemon.docker(["run", "--rm", ...flags, "busybox", "true"])).code, flags.join(" ")).toBe(125);
	});
});
