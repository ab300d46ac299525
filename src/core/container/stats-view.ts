/** `GET /containers/{id}/stats` from what the kernel counted. */
import type { BlkioStatEntry, ContainerStats, CpuStats } from "../../api/engine/container.ts";
import type { InterfaceStatistics } from "../network/driver.ts";
import type { ResourceUsage } from "./resource-monitor.ts";

export interface StatsSample {
	/** Milliseconds since the epoch. */
	readonly readAt: number;
	readonly usage: ResourceUsage;
	readonly systemCpuNs: number;
	readonly onlineCpus: number;
	readonly networks: Readonly<Record<string, InterfaceStatistics>>;
}

const NO_TIME = "0001-01-01T00:00:00Z";
const BLKIO_KEYS = [
	"io_service_bytes_recursive",
	"io_serviced_recursive",
	"io_queue_recursive",
	"io_service_time_recursive",
	"io_wait_time_recursive",
	"io_merged_recursive",
	"io_time_recursive",
	"sectors_recursive",
];

/** @param sample undefined for a container that does not run */
export function statsView(
	container: { readonly id: string; readonly name: string },
	sample: StatsSample | undefined,
	previous: StatsSample | undefined,
): ContainerStats {
	const networks = networksView(sample?.networks ?? {});
	return {
		name: `/${container.name}`,
		id: container.id,
		...(sample === undefined ? {} : { os_type: "linux" }),
		read: timeOf(sample),
		preread: timeOf(previous),
		pids_stats: pidsView(sample?.usage),
		blkio_stats: blkioView(sample?.usage),
		num_procs: 0,
		storage_stats: {},
		cpu_stats: cpuView(sample),
		precpu_stats: cpuView(previous),
		memory_stats: memoryView(sample?.usage),
		...(Object.keys(networks).length === 0 ? {} : { networks }),
	};
}

function timeOf(sample: StatsSample | undefined): string {
	return sample === undefined ? NO_TIME : new Date(sample.readAt).toISOString().replace("Z", "000000Z");
}

function cpuView(sample: StatsSample | undefined): CpuStats {
	const cpu = sample?.usage.cpu;
	return {
		cpu_usage: {
			total_usage: cpu?.totalNs ?? 0,
			...(cpu?.perCpuNs === undefined ? {} : { percpu_usage: [...cpu.perCpuNs] }),
			usage_in_kernelmode: cpu?.kernelNs ?? 0,
			usage_in_usermode: cpu?.userNs ?? 0,
		},
		...(sample === undefined ? {} : { system_cpu_usage: sample.systemCpuNs, online_cpus: sample.onlineCpus }),
		throttling_data: {
			periods: cpu?.periods ?? 0,
			throttled_periods: cpu?.throttledPeriods ?? 0,
			throttled_time: cpu?.throttledNs ?? 0,
		},
	};
}

function memoryView(usage: ResourceUsage | undefined): ContainerStats["memory_stats"] {
	if (usage === undefined) return {};
	const { usageBytes, maxUsageBytes, failCount, limitBytes, stats } = usage.memory;
	return {
		usage: usageBytes,
		...(maxUsageBytes === undefined ? {} : { max_usage: maxUsageBytes }),
		stats: { ...stats },
		...(failCount === undefined || failCount === 0 ? {} : { failcnt: failCount }),
		limit: limitBytes,
	};
}

function pidsView(usage: ResourceUsage | undefined): ContainerStats["pids_stats"] {
	if (usage === undefined) return {};
	const { current, limit } = usage.pids;
	return { ...(current === 0 ? {} : { current }), ...(limit === undefined ? {} : { limit }) };
}

function blkioView(usage: ResourceUsage | undefined): ContainerStats["blkio_stats"] {
	const lists = BLKIO_KEYS.map((key) => {
		const entries = usage?.blkio[key];
		return [key, entries === undefined ? null : [...entries]] as const;
	});
	return Object.fromEntries<BlkioStatEntry[] | null>(lists);
}

function networksView(networks: StatsSample["networks"]): NonNullable<ContainerStats["networks"]> {
	return Object.fromEntries(
		Object.entries(networks)
			.filter(([name]) => name !== "lo")
			.map(([name, counters]) => [
				name,
				{
					rx_bytes: counters.rxBytes,
					rx_packets: counters.rxPackets,
					rx_errors: counters.rxErrors,
					rx_dropped: counters.rxDropped,
					tx_bytes: counters.txBytes,
					tx_packets: counters.txPackets,
					tx_errors: counters.txErrors,
					tx_dropped: counters.txDropped,
				},
			]),
	);
}
