import type { ContainerStats } from "../../api/engine/container.ts";
import { humanSize } from "../../base/units.ts";
import { truncateId } from "../formatter/human.ts";
import type { Fields } from "../formatter/rows.ts";

/** What `stats` shows of one container; without `stats` nothing is known yet, or the container does not run. */
export interface StatsSample {
	/** As it was asked for. */
	container: string;
	id: string;
	name: string;
	stats?: ContainerStats | undefined;
	hasFailed?: boolean;
}

const UNKNOWN = "--";

export function statsFields(isTruncated: boolean): Fields<StatsSample> {
	const known = (sample: StatsSample, show: (stats: ContainerStats | undefined) => string, unknown = UNKNOWN) =>
		sample.hasFailed ? unknown : show(sample.stats);
	return {
		Container: { header: "CONTAINER", value: ({ container }) => container },
		ID: { header: "CONTAINER ID", value: ({ id }) => (isTruncated ? truncateId(id) : id) },
		Name: { header: "NAME", value: ({ name }) => (name === "" ? UNKNOWN : name) },
		CPUPerc: { header: "CPU %", value: (sample) => known(sample, (stats) => `${cpuPercent(stats).toFixed(2)}%`) },
		MemUsage: { header: "MEM USAGE / LIMIT", value: (sample) => known(sample, memoryUsage, "-- / --") },
		MemPerc: { header: "MEM %", value: (sample) => known(sample, (stats) => `${memoryPercent(stats).toFixed(2)}%`) },
		NetIO: { header: "NET I/O", value: (sample) => known(sample, networkUsage) },
		BlockIO: { header: "BLOCK I/O", value: (sample) => known(sample, blockUsage) },
		PIDs: { header: "PIDS", value: (sample) => known(sample, (stats) => String(stats?.pids_stats?.current ?? 0)) },
	};
}

/** Of one CPU: two busy CPUs are 200. */
function cpuPercent(stats: ContainerStats | undefined): number {
	if (stats === undefined) return 0;
	const { cpu_stats: now, precpu_stats: before } = stats;
	const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
	const elapsed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
	const cpus = now?.online_cpus || now?.cpu_usage?.percpu_usage?.length || 0;
	return used > 0 && elapsed > 0 ? (used / elapsed) * cpus * 100 : 0;
}

/** Memory without the page cache that can be dropped at any time: cgroup v1 calls it total_inactive_file, v2 inactive_file. */
function usedMemory(stats: ContainerStats | undefined): number {
	const { usage = 0, stats: details = {} } = stats?.memory_stats ?? {};
	const cache = details["total_inactive_file"] ?? details["inactive_file"] ?? 0;
	return cache < usage ? usage - cache : usage;
}

function memoryUsage(stats: ContainerStats | undefined): string {
	return `${humanSize(usedMemory(stats), 1024)} / ${humanSize(stats?.memory_stats?.limit ?? 0, 1024)}`;
}

function memoryPercent(stats: ContainerStats | undefined): number {
	const limit = stats?.memory_stats?.limit ?? 0;
	return limit === 0 ? 0 : (usedMemory(stats) / limit) * 100;
}

function networkUsage(stats: ContainerStats | undefined): string {
	let received = 0;
	let sent = 0;
	for (const { rx_bytes, tx_bytes } of Object.values(stats?.networks ?? {})) {
		received += rx_bytes;
		sent += tx_bytes;
	}
	return `${humanSize(received)} / ${humanSize(sent)}`;
}

function blockUsage(stats: ContainerStats | undefined): string {
	let read = 0;
	let written = 0;
	for (const { op, value } of stats?.blkio_stats?.["io_service_bytes_recursive"] ?? []) {
		if (/^r/i.test(op)) read += value;
		if (/^w/i.test(op)) written += value;
	}
	return `${humanSize(read)} / ${humanSize(written)}`;
}
