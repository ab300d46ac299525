import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readUsageV1, readUsageV2 } from "./cgroup-usage.ts";
import { directoryOf, isHybridInConflict, processesOf, readCgroupLayout } from "./cgroups.ts";
import { parseOsRelease } from "./host-facts.ts";
import { parseMountInfo } from "./mountinfo.ts";

/** Writes files below a fresh directory, runs, and removes it. */
function withTree<T>(files: Readonly<Record<string, string>>, run: (directory: string) => T): T {
	const directory = mkdtempSync("/tmp/gantry-cgroup-");
	try {
		for (const [name, text] of Object.entries(files)) {
			mkdirSync(dirname(join(directory, name)), { recursive: true });
			writeFileSync(join(directory, name), text);
		}
		return run(directory);
	} finally {
		rmSync(directory, { recursive: true });
	}
}

const V1 = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`;

describe("readCgroupLayout()", () => {
	test("finds v1 controllers, joint ones too, and leaves systemd's named hierarchy out", () => {
		const layout = readCgroupLayout(parseMountInfo(V1));
		expect(layout.version).toBe(1);
		expect([...layout.controllers.keys()]).toEqual(["cpu", "cpuacct", "memory"]);
		expect(isHybridInConflict(layout)).toBe(false);
	});

	test("calls v1 with a v2 tree beside it version 1, and in conflict while that tree has a controller to give", () => {
		withTree({ "cgroup.controllers": "hugetlb\n" }, (unified) => {
			const layout = readCgroupLayout(parseMountInfo(`${V1}41 31 0:38 / ${unified} rw - cgroup2 cgroup2 rw\n`));
			expect(layout.version).toBe(1);
			expect([...layout.unifiedControllers]).toEqual(["hugetlb"]);
			expect(isHybridInConflict(layout)).toBe(true);
		});
	});

	test("calls v2 alone version 2", () => {
		const layout = readCgroupLayout(parseMountInfo("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"));
		expect(layout.version).toBe(2);
		expect(isHybridInConflict(layout)).toBe(false);
	});
});

test("directoryOf() leaves out what lies above the mounted part of a hierarchy", () => {
	expect(directoryOf({ mountPoint: "/cg/memory", root: "/" }, "/a/b")).toBe("/cg/memory/a/b");
	expect(directoryOf({ mountPoint: "/cg/memory", root: "/docker/x" }, "/docker/x/y")).toBe("/cg/memory/y");
	expect(directoryOf({ mountPoint: "/cg/memory", root: "/docker/x" }, "/docker/xy")).toBe("/cg/memory/docker/xy");
	expect(directoryOf({ mountPoint: "/cg/memory", root: "/" }, "/")).toBe("/cg/memory");
});

test("processesOf() gathers child cgroups, and nothing where there is no cgroup", () => {
	withTree({ "cgroup.procs": "1\n2\n", "a/cgroup.procs": "3\n", "a/b/cgroup.procs": "4\n" }, (directory) => {
		expect(processesOf(directory)).toEqual([1, 2, 3, 4]);
		expect(processesOf(`${directory}/none`)).toEqual([]);
	});
});

test("readUsageV1() reads each controller's files", () => {
	const files = {
		"cpuacct/cpuacct.usage": "1000\n",
		"cpuacct/cpuacct.usage_percpu": "600 400 \n",
		"cpuacct/cpuacct.stat": "user 3\nsystem 4\n",
		"cpu/cpu.stat": "nr_periods 5\nnr_throttled 6\nthrottled_time 7\n",
		"memory/memory.usage_in_bytes": "100\n",
		"memory/memory.max_usage_in_bytes": "200\n",
		"memory/memory.failcnt": "8\n",
		"memory/memory.limit_in_bytes": "9223372036854771712\n",
		"memory/memory.stat": "cache 1\ntotal_rss 2\n",
		"pids/pids.current": "9\n",
		"pids/pids.max": "max\n",
		"blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n",
	};
	withTree(files, (directory) => {
		const controllers = ["cpu", "cpuacct", "memory", "pids", "blkio"];
		const usage = readUsageV1(new Map(controllers.map((name) => [name, join(directory, name)])), 4096);
		expect(usage.cpu).toEqual({
			totalNs: 1000,
			kernelNs: 40_000_000,
			userNs: 30_000_000,
			perCpuNs: [600, 400],
			periods: 5,
			throttledPeriods: 6,
			throttledNs: 7,
		});
		expect(usage.memory).toEqual({
			usageBytes: 100,
			maxUsageBytes: 200,
			failCount: 8,
			limitBytes: 4096,
			stats: { cache: 1, total_rss: 2 },
		});
		expect(usage.pids).toEqual({ current: 9 });
		expect(usage.blkio["io_service_bytes_recursive"]?.map(({ op, value }) => [op, value])).toEqual([
			["Read", 10],
			["Write", 20],
			["Total", 30],
		]);
	});
});

test("readUsageV2() reads the one directory", () => {
	const files = {
		"cpu.stat": "usage_usec 10\nuser_usec 4\nsystem_usec 6\nnr_periods 1\nnr_throttled 2\nthrottled_usec 3\n",
		"memory.current": "100\n",
		"memory.max": "2048\n",
		"memory.stat": "anon 7\n",
		"pids.current": "1\n",
		"pids.max": "50\n",
		"io.stat": "254:0 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=0 dios=0\n",
	};
	withTree(files, (directory) => {
		const usage = readUsageV2(directory, 4096);
		expect([usage.cpu.totalNs, usage.cpu.userNs, usage.cpu.kernelNs, usage.cpu.throttledNs]).toEqual([
			10_000, 4000, 6000, 3000,
		]);
		expect(usage.memory).toEqual({ usageBytes: 100, limitBytes: 2048, stats: { anon: 7 } });
		expect(usage.pids).toEqual({ current: 1, limit: 50 });
		expect(usage.blkio["io_service_bytes_recursive"]).toEqual([
			{ major: 254, minor: 0, op: "read", value: 5 },
			{ major: 254, minor: 0, op: "write", value: 6 },
		]);
	});
});

test("parseOsRelease() takes quotes off", () => {
	expect(parseOsRelease('# c\nPRETTY_NAME="A \\"B\\" 1"\nVERSION_ID=12\nEMPTY=\n')).toEqual({
		PRETTY_NAME: 'A "B" 1',
		VERSION_ID: "12",
		EMPTY: "",
	});
});
