import type { Resources, ThrottleDevice, WeightDevice } from "../../api/engine/container.ts";
import type { LinuxResources, ThrottleRule } from "../../api/oci/runtime-spec.ts";
import { SystemError } from "../../base/errors.ts";

/** Major and minor number of block devices by path, as the host has them. */
export type BlockDevices = ReadonlyMap<string, { readonly major: number; readonly minor: number }>;

const CPU_PERIOD_US = 100_000;

/**
 * OCI `linux.resources` without the device rules; what an update changes is written the same way.
 * @throws SystemError when a throttled device is not in `blockDevices`
 */
export function buildResources(limits: Resources, blockDevices: BlockDevices): LinuxResources {
	const pids = limits.PidsLimit ?? 0;
	return {
		memory: memoryOf(limits),
		cpu: cpuOf(limits),
		...(pids > 0 ? { pids: { limit: pids } } : {}),
		...blockIoOf(limits, blockDevices),
	};
}

function memoryOf(limits: Resources): NonNullable<LinuxResources["memory"]> {
	const swappiness = limits.MemorySwappiness ?? -1;
	return {
		...positive("limit", limits.Memory),
		...positive("reservation", limits.MemoryReservation),
		...((limits.MemorySwap ?? 0) === 0 ? {} : { swap: limits.MemorySwap ?? 0 }),
		...(swappiness >= 0 ? { swappiness } : {}),
		...(limits.OomKillDisable === true ? { disableOOMKiller: true } : {}),
	};
}

function cpuOf(limits: Resources): NonNullable<LinuxResources["cpu"]> {
	const nano = limits.NanoCpus ?? 0;
	return {
		...positive("shares", limits.CpuShares),
		...(nano > 0
			? { quota: Math.floor((nano * CPU_PERIOD_US) / 1e9), period: CPU_PERIOD_US }
			: { ...nonZero("quota", limits.CpuQuota), ...positive("period", limits.CpuPeriod) }),
		...positive("realtimeRuntime", limits.CpuRealtimeRuntime),
		...positive("realtimePeriod", limits.CpuRealtimePeriod),
		...((limits.CpusetCpus ?? "") === "" ? {} : { cpus: limits.CpusetCpus ?? "" }),
		...((limits.CpusetMems ?? "") === "" ? {} : { mems: limits.CpusetMems ?? "" }),
	};
}

function blockIoOf(limits: Resources, blockDevices: BlockDevices): Pick<LinuxResources, "blockIO"> {
	const rates = (devices: ThrottleDevice[] | null | undefined): ThrottleRule[] =>
		(devices ?? []).map(({ Path, Rate }) => ({ ...numbersOf(Path, blockDevices), rate: Rate }));
	const weights = (limits.BlkioWeightDevice ?? []).map(({ Path, Weight }: WeightDevice) => ({
		...numbersOf(Path, blockDevices),
		weight: Weight,
	}));
	const blockIO = {
		...positive("weight", limits.BlkioWeight),
		...nonEmpty("weightDevice", weights),
		...nonEmpty("throttleReadBpsDevice", rates(limits.BlkioDeviceReadBps)),
		...nonEmpty("throttleWriteBpsDevice", rates(limits.BlkioDeviceWriteBps)),
		...nonEmpty("throttleReadIOPSDevice", rates(limits.BlkioDeviceReadIOps)),
		...nonEmpty("throttleWriteIOPSDevice", rates(limits.BlkioDeviceWriteIOps)),
	};
	return Object.keys(blockIO).length === 0 ? {} : { blockIO };
}

function numbersOf(path: string, blockDevices: BlockDevices): { major: number; minor: number } {
	const found = blockDevices.get(path);
	if (found === undefined) throw new SystemError(`stat ${path}: no such file or directory`);
	return { major: found.major, minor: found.minor };
}

/** The host paths that `buildResources` needs the numbers of. */
export function throttledDevices(limits: Resources): string[] {
	const lists = [
		limits.BlkioWeightDevice,
		limits.BlkioDeviceReadBps,
		limits.BlkioDeviceWriteBps,
		limits.BlkioDeviceReadIOps,
		limits.BlkioDeviceWriteIOps,
	];
	return [...new Set(lists.flatMap((list) => (list ?? []).map(({ Path }) => Path)))];
}

function positive<K extends string>(key: K, value: number | undefined): { [key in K]?: number } {
	return value !== undefined && value > 0 ? ({ [key]: value } as { [key in K]: number }) : {};
}

function nonZero<K extends string>(key: K, value: number | undefined): { [key in K]?: number } {
	return value !== undefined && value !== 0 ? ({ [key]: value } as { [key in K]: number }) : {};
}

function nonEmpty<K extends string, T>(key: K, list: T[]): { [key in K]?: T[] } {
	return list.length > 0 ? ({ [key]: list } as { [key in K]: T[] }) : {};
}
