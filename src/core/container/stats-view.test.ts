import { expect, test } from "bun:test";
import { type StatsSample, statsView } from "./stats-view.ts";

const COUNTERS = {
	rxBytes: 1,
	rxPackets: 2,
	rxErrors: 0,
	rxDropped: 0,
	txBytes: 3,
	txPackets: 4,
	txErrors: 0,
	txDropped: 0,
};

const SAMPLE: StatsSample = {
	readAt: Date.parse("2024-05-06T07:08:09.010Z"),
	usage: {
		cpu: { totalNs: 30, kernelNs: 10, userNs: 20, periods: 0, throttledPeriods: 0, throttledNs: 0 },
		memory: { usageBytes: 5, limitBytes: 100, stats: { cache: 1 } },
		pids: { current: 2 },
		blkio: { io_service_bytes_recursive: [{ major: 8, minor: 0, op: "read", value: 9 }] },
	},
	systemCpuNs: 1000,
	onlineCpus: 2,
	networks: { eth0: COUNTERS, lo: COUNTERS },
};

test("a stopped container gives zeros in the shape Docker has them", () => {
	const stats = statsView({ id: "abc", name: "web" }, undefined, undefined);
	expect(stats).toMatchObject({
		name: "/web",
		read: "0001-01-01T00:00:00Z",
		pids_stats: {},
		memory_stats: {},
		cpu_stats: { cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 } },
	});
	expect(stats.cpu_stats).not.toHaveProperty("system_cpu_usage");
	expect(stats).not.toHaveProperty("networks");
	expect(Object.values(stats.blkio_stats).every((list) => list === null)).toBe(true);
});

test("a sample shows its counters, the one before it as precpu, and no loopback", () => {
	const stats = statsView({ id: "abc", name: "web" }, SAMPLE, { ...SAMPLE, systemCpuNs: 900 });
	expect(stats).toMatchObject({
		read: "2024-05-06T07:08:09.010000000Z",
		cpu_stats: { system_cpu_usage: 1000, online_cpus: 2, cpu_usage: { total_usage: 30 } },
		precpu_stats: { system_cpu_usage: 900 },
		memory_stats: { usage: 5, limit: 100, stats: { cache: 1 } },
		pids_stats: { current: 2 },
	});
	expect(Object.keys(stats.networks ?? {})).toEqual(["eth0"]);
});
