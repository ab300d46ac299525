/** Counters of one cgroup in one shape for v1 and v2. */
import { join } from "node:path";
import type { BlkioStatEntry } from "../../api/engine/container.ts";
import type { ResourceUsage } from "../../core/container/resource-monitor.ts";
import { readOptional, words } from "./cgroups.ts";

/** USER_HZ: what /proc and cpuacct.stat count in, on every architecture Linux runs on today. */
export const NANOSECONDS_PER_TICK = 10_000_000;

const V1_BLKIO_FILES: readonly (readonly [string, readonly string[]])[] = [
	["io_service_bytes_recursive", ["blkio.throttle.io_service_bytes_recursive", "blkio.bfq.io_service_bytes_recursive"]],
	["io_serviced_recursive", ["blkio.throttle.io_serviced_recursive", "blkio.bfq.io_serviced_recursive"]],
	["io_queue_recursive", ["blkio.io_queued_recursive"]],
	["io_service_time_recursive", ["blkio.io_service_time_recursive"]],
	["io_wait_time_recursive", ["blkio.io_wait_time_recursive"]],
	["io_merged_recursive", ["blkio.io_merged_recursive"]],
	["io_time_recursive", ["blkio.time_recursive"]],
	["sectors_recursive", ["blkio.sectors_recursive"]],
];

/** @param directories of the process's cgroups by v1 controller */
export function readUsageV1(directories: ReadonlyMap<string, string>, machineMemoryBytes: number): ResourceUsage {
	const read = (controller: string, file: string) => {
		const directory = directories.get(controller);
		return directory === undefined ? undefined : readOptional(join(directory, file));
	};
	const number = (controller: string, file: string) => parseNumber(read(controller, file)) ?? 0;
	const ticks = parsePairs(read("cpuacct", "cpuacct.stat"));
	const throttling = parsePairs(read("cpu", "cpu.stat"));
	return {
		cpu: {
			totalNs: number("cpuacct", "cpuacct.usage"),
			kernelNs: (ticks["system"] ?? 0) * NANOSECONDS_PER_TICK,
			userNs: (ticks["user"] ?? 0) * NANOSECONDS_PER_TICK,
			perCpuNs: words(read("cpuacct", "cpuacct.usage_percpu")).map(Number),
			periods: throttling["nr_periods"] ?? 0,
			throttledPeriods: throttling["nr_throttled"] ?? 0,
			throttledNs: throttling["throttled_time"] ?? 0,
		},
		memory: {
			usageBytes: number("memory", "memory.usage_in_bytes"),
			maxUsageBytes: number("memory", "memory.max_usage_in_bytes"),
			failCount: number("memory", "memory.failcnt"),
			limitBytes: Math.min(number("memory", "memory.limit_in_bytes") || machineMemoryBytes, machineMemoryBytes),
			stats: parsePairs(read("memory", "memory.stat")),
		},
		pids: pidsOf(read("pids", "pids.current"), read("pids", "pids.max")),
		blkio: Object.fromEntries(
			V1_BLKIO_FILES.map(([name, files]) => [name, firstFilled(files.map((file) => parseBlkio(read("blkio", file))))]),
		),
	};
}

function firstFilled(lists: readonly (readonly BlkioStatEntry[])[]): readonly BlkioStatEntry[] {
	return lists.find((list) => list.length > 0) ?? [];
}

/** Lines `8:0 Read 4096`; the line of totals has no device. */
function parseBlkio(text: string | undefined): BlkioStatEntry[] {
	return (text ?? "").split("\n").flatMap((line) => {
		const match = /^(\d+):(\d+) (?:([A-Z]\w*) )?(\d+)$/.exec(line);
		if (match === null) return [];
		return { major: Number(match[1]), minor: Number(match[2]), op: match[3] ?? "", value: Number(match[4]) };
	});
}

export function readUsageV2(directory: string, machineMemoryBytes: number): ResourceUsage {
	const read = (file: string) => readOptional(join(directory, file));
	const cpu = parsePairs(read("cpu.stat"));
	const microseconds = (name: string) => (cpu[name] ?? 0) * 1000;
	const limit = parseNumber(read("memory.max")) ?? machineMemoryBytes;
	return {
		cpu: {
			totalNs: microseconds("usage_usec"),
			kernelNs: microseconds("system_usec"),
			userNs: microseconds("user_usec"),
			periods: cpu["nr_periods"] ?? 0,
			throttledPeriods: cpu["nr_throttled"] ?? 0,
			throttledNs: microseconds("throttled_usec"),
		},
		memory: {
			usageBytes: parseNumber(read("memory.current")) ?? 0,
			limitBytes: Math.min(limit, machineMemoryBytes),
			stats: parsePairs(read("memory.stat")),
		},
		pids: pidsOf(read("pids.current"), read("pids.max")),
		blkio: { io_service_bytes_recursive: parseIoStat(read("io.stat")) },
	};
}

/** Lines `8:0 rbytes=4096 wbytes=0 rios=1 …`. */
function parseIoStat(text: string | undefined): BlkioStatEntry[] {
	return (text ?? "").split("\n").flatMap((line) => {
		const match = /^(\d+):(\d+) (.*)$/.exec(line);
		if (match === null) return [];
		const values = new Map((match[3] ?? "").split(" ").map((pair) => pair.split("=") as [string, string | undefined]));
		const entry = (op: string, key: string): BlkioStatEntry => ({
			major: Number(match[1]),
			minor: Number(match[2]),
			op,
			value: Number(values.get(key) ?? 0),
		});
		return [entry("read", "rbytes"), entry("write", "wbytes")];
	});
}

function pidsOf(current: string | undefined, max: string | undefined): ResourceUsage["pids"] {
	const limit = parseNumber(max);
	return { current: parseNumber(current) ?? 0, ...(limit !== undefined && { limit }) };
}

/** Undefined for `max` and for what is not there. */
function parseNumber(text: string | undefined): number | undefined {
	const value = text === undefined ? Number.NaN : Number.parseInt(text, 10);
	return Number.isNaN(value) ? undefined : value;
}

/** Lines `name value`. */
function parsePairs(text: string | undefined): Record<string, number> {
	const pairs: Record<string, number> = {};
	for (const line of (text ?? "").split("\n")) {
		const [name, value] = line.split(" ");
		if (name !== undefined && value !== undefined) pairs[name] = Number(value);
	}
	return pairs;
}
