/** Limits as the kernel has them, and as it holds a container to them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";

const V1 = "/sys/fs/cgroup";
/** The files differ between the versions; what limits does is tested on both. */
const isV1 = existsSync(`${V1}/memory/memory.limit_in_bytes`);
const MIB = 1024 * 1024;

describe("the limits of docker run", () => {
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

	const files: [flags: string[], v1: string[], v2: string[], value: (string | number)[]][] = [
		[["-m", "64m"], ["memory/memory.limit_in_bytes"], ["memory.max"], [64 * MIB]],
		[["-m", "64m", "--memory-reservation", "32m"], ["memory/memory.soft_limit_in_bytes"], ["memory.low"], [32 * MIB]],
		[
			["--cpus", "0.5"],
			["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"],
			["cpu.max"],
			isV1 ? [50_000, 100_000] : ["50000 100000"],
		],
		[
			["--cpu-period", "50000", "--cpu-quota", "10000"],
			["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"],
			["cpu.max"],
			isV1 ? [10_000, 50_000] : ["10000 50000"],
		],
		[
			["--cpuset-cpus", "0", "--cpuset-mems", "0"],
			["cpuset/cpuset.cpus", "cpuset/cpuset.mems"],
			["cpuset.cpus", "cpuset.mems"],
			[0, 0],
		],
		[["--pids-limit", "20"], ["pids/pids.max"], ["pids.max"], [20]],
		[["--pids-limit", "-1"], ["pids/pids.max"], ["pids.max"], ["max"]],
	];
	for (const [flags, v1, v2, value] of files)
		test(`${flags.join(" ")} is what the kernel has`, async () => {
			const paths = (isV1 ? v1 : v2).map((path) => `${V1}/${path}`);
			expect(await daemon.mustDocker(["run", "--rm", ...flags, "busybox", "cat", ...paths])).toBe(value.join("\n"));
		});

	test.skipIf(!isV1)("limits of cgroup v1 alone: shares, swap, swappiness", async () => {
		const flags = ["-m", "64m", "--memory-swap", "96m", "--memory-swappiness", "10", "--cpu-shares", "512"];
		const paths = ["memory/memory.memsw.limit_in_bytes", "memory/memory.swappiness", "cpu/cpu.shares"];
		const output = await daemon.mustDocker([
			"run",
			"--rm",
			...flags,
			"busybox",
			"cat",
			...paths.map((path) => `${V1}/${path}`),
		]);
		expect(output).toBe(`${96 * MIB}\n10\n512`);
	});

	test("what the kernel cannot do is discarded with a warning", async () => {
		const info = JSON.parse(await daemon.mustDocker(["info", "-f", "json"]));
		const warned = existsSync(`${V1}/blkio/blkio.weight`) || !isV1 ? "" : "Block I/O weight";
		const result = await daemon.docker(["run", "--rm", "--blkio-weight", "300", "busybox", "true"]);
		expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining(warned) });
		expect(info.MemoryLimit).toBe(true);
	});

	const refused: [flags: string[], why: string][] = [
		[["-m", "1"], "Minimum memory limit allowed is 6MB"],
		[["-m", "10m", "--memory-swap", "5m"], "Minimum memoryswap limit should be larger than memory limit"],
		[
			["-m", "32m", "--memory-reservation", "64m"],
			"Minimum memory limit can not be less than memory reservation limit",
		],
		[["--memory-swap", "64m"], "You should always set the Memory limit when using Memoryswap limit"],
		[["--memory-swappiness", "101"], "Valid memory swappiness range is 0-100"],
		[["--cpus", "1000"], "range of CPUs is from 0.01 to"],
		[["--cpu-period", "1"], "CPU cfs period can not be less than 1ms"],
		[["--cpu-quota", "1"], "CPU cfs quota can not be less than 1ms"],
		[["--cpus", "0.5", "--cpu-quota", "1000"], "Conflicting options"],
		[["--cpuset-cpus", "100"], "Requested CPUs are not available - requested 100"],
		[["--cpuset-cpus", "0-1000000"], "value of out range, maximum is 8192"],
		[["--cpuset-cpus", "x"], "Invalid value x for cpuset cpus: invalid format: x"],
		[["--oom-score-adj", "5000"], "range for oom score adj is [-1000, 1000]"],
		[["--shm-size=-1"], "invalid size: '-1'"],
	];
	for (const [flags, why] of refused)
		test(`refuses ${flags.join(" ")}`, async () => {
			const result = await daemon.docker(["run", "--rm", ...flags, "busybox", "true"]);
			expect(result.code).toBe(125);
			expect(result.stderr.toLowerCase()).toContain(why.toLowerCase());
		});

	test("too much memory ends the container, which inspect and an event tell", async () => {
		const since = String(Date.now() / 1000);
		const eater = ["busybox", "sh", "-c", "exec tail /dev/zero"];
		const result = await daemon.docker(["run", "--name", "eater", "-m", "16m", "--memory-swap", "16m", ...eater]);
		expect(result.code).toBe(137);
		const state = JSON.parse(await daemon.mustDocker(["inspect", "-f", "{{json .State}}", "eater"]));
		expect(state).toMatchObject({ Status: "exited", OOMKilled: true, ExitCode: 137 });
		const until = String(Date.now() / 1000 + 0.1);
		const events = [
			"events",
			"--since",
			since,
			"--until",
			until,
			"--filter",
			"event=oom",
			"--format",
			"{{.Actor.Attributes.name}}",
		];
		expect(await daemon.mustDocker(events)).toBe("eater");
		await daemon.mustDocker(["rm", "eater"]);
	});

	test("too many processes cannot be made", async () => {
		const script = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo all";
		const result = await daemon.docker(["run", "--rm", "--pids-limit", "5", "busybox", "sh", "-c", script]);
		expect(result.stderr).toContain("can't fork");
		expect(result.stdout).toBe("");
	});

	test("block devices are throttled, and a missing one is named", async () => {
		const device = ["--device-read-bps", "/dev/loop0:1mb", "--device-write-iops", "/dev/loop0:100"];
		const file = isV1 ? `${V1}/blkio/blkio.throttle.read_bps_device` : `${V1}/io.max`;
		expect(await daemon.mustDocker(["run", "--rm", ...device, "busybox", "cat", file])).toMatch(/7:0 .*1048576/);
		const missing = await daemon.docker(["run", "--rm", "--device-read-bps", "/dev/nope:1mb", "busybox"]);
		expect(missing).toMatchObject({ code: 127, stderr: expect.stringContaining("/dev/nope") });
	});

	test.skipIf(!isV1)("a start that the OCI runtime breaks off leaves no cgroup", async () => {
		const id = await daemon.mustDocker(["create", "--ulimit", "nofile=10:10", "busybox", "true"]);
		expect((await daemon.docker(["start", id])).code).toBe(1);
		expect([...new Bun.Glob(`*/**/${id}`).scanSync({ cwd: V1, onlyFiles: false })]).toEqual([]);
		await daemon.mustDocker(["rm", id]);
	});

	test("update changes a running container, and refuses what contradicts", async () => {
		await daemon.mustDocker([
			"run",
			"-d",
			"--name",
			"changed",
			"-m",
			"64m",
			"--memory-swap",
			"64m",
			"busybox",
			"sleep",
			"100",
		]);
		const flags = ["--memory", "32m", "--cpus", "0.3", "--pids-limit", "33", "--restart", "on-failure:4"];
		await daemon.mustDocker(["update", ...flags, "changed"]);
		const paths = isV1
			? ["memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us", "pids/pids.max"]
			: ["memory.max", "cpu.max", "pids.max"];
		const read = await daemon.mustDocker(["exec", "changed", "cat", ...paths.map((path) => `${V1}/${path}`)]);
		expect(read).toBe(`${32 * MIB}\n30000${isV1 ? "" : " 100000"}\n33`);
		const { HostConfig } = JSON.parse(await daemon.mustDocker(["inspect", "-f", "{{json .}}", "changed"]));
		expect(HostConfig).toMatchObject({
			Memory: 32 * MIB,
			MemorySwappiness: null,
			NanoCpus: 300_000_000,
			PidsLimit: 33,
			RestartPolicy: { Name: "on-failure", MaximumRetryCount: 4 },
		});
		await daemon.mustDocker(["update", "--pids-limit", "-1", "changed"]);
		expect(await daemon.mustDocker(["exec", "changed", "cat", `${V1}/${paths[2]}`])).toBe("4194304");
		const contradictions: [string[], string][] = [
			[["--memory", "128m"], "Memory limit should be smaller than already set memoryswap limit"],
			[["--cpu-quota", "20000"], "CPU Quota cannot be updated as NanoCPUs has already been set"],
			[["--cpuset-cpus", "99"], "Requested CPUs are not available"],
			[["--restart", "nope"], "unknown policy 'nope'"],
		];
		for (const [flag, why] of contradictions)
			expect(await daemon.docker(["update", ...flag, "changed"])).toMatchObject({
				code: 1,
				stderr: expect.stringContaining(why),
			});
		await daemon.mustDocker(["rm", "-f", "changed"]);
		await daemon.mustDocker(["create", "--rm", "--name", "gone", "busybox"]);
		const policy = await daemon.api("POST", "/containers/gone/update", { RestartPolicy: { Name: "always" } });
		expect(policy.status).toBe(409);
		await daemon.mustDocker(["update", "--restart", "no", "gone"]);
		await daemon.mustDocker(["rm", "gone"]);
	});
});
