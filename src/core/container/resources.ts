/** Limits of a create or update request: Docker's rules and words, for what the machine's cgroups can enforce. */
import type { Resources } from "../../api/engine/container.ts";
import { InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import type { HostFacts } from "./host-facts.ts";

const MINIMUM_MEMORY_BYTES = 6 * 1024 ** 2;

export interface CheckedResources<T extends Resources> {
	readonly resources: T;
	readonly warnings: string[];
}

/**
 * Checks the limits and drops, with a warning each, those that the machine cannot enforce.
 * @param mode `update` allows what only makes sense against the limits a container has already
 * @throws InvalidParameterError, NotImplementedError
 */
export function checkResources<T extends Resources>(
	requested: T,
	host: HostFacts,
	mode: "create" | "update",
): CheckedResources<T> {
	const resources: T = { ...requested };
	const warnings: string[] = [];
	checkMemory(resources, host, mode, warnings);
	checkCpu(resources, host, warnings);
	checkCpuset(resources, host, warnings);
	checkPids(resources, host, warnings);
	checkBlockIo(resources, host, warnings);
	checkUnsupported(resources, warnings);
	return { resources, warnings };
}

function fail(message: string): never {
	throw new InvalidParameterError(message);
}

function checkMemory(resources: Resources, host: HostFacts, mode: "create" | "update", warnings: string[]): void {
	const { memoryLimit, swapLimit, memoryReservation, memorySwappiness, oomKillDisable } = host.cgroups;
	if (isSet(resources.Memory) && (resources.Memory ?? 0) < MINIMUM_MEMORY_BYTES)
		fail("Minimum memory limit allowed is 6MB");
	if (isSet(resources.Memory) && !memoryLimit) {
		warnings.push(unsupported("memory limit capabilities", "Limitation discarded."));
		resources.Memory = 0;
		resources.MemorySwap = -1;
	}
	if (isSet(resources.Memory) && resources.MemorySwap !== -1 && !swapLimit) {
		warnings.push(unsupported("swap limit capabilities", "Memory limited without swap."));
		resources.MemorySwap = -1;
	}
	const memory = resources.Memory ?? 0;
	const swap = resources.MemorySwap ?? 0;
	if (memory > 0 && swap > 0 && swap < memory)
		fail("Minimum memoryswap limit should be larger than memory limit, see usage");
	if (memory === 0 && swap > 0 && mode === "create")
		fail("You should always set the Memory limit when using Memoryswap limit, see usage");
	checkReservation(resources, memoryReservation, warnings);
	checkSwappiness(resources, memorySwappiness, warnings);
	if (resources.OomKillDisable === true && !oomKillDisable) {
		warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
		resources.OomKillDisable = null;
	}
	if (resources.OomKillDisable === true && memory === 0)
		warnings.push(
			"OOM killer is disabled for the container, but no memory limit is set, " +
				"this can result in the system running out of resources.",
		);
	if (isSet(resources.KernelMemory) && (resources.KernelMemory ?? 0) < MINIMUM_MEMORY_BYTES)
		fail("Minimum kernel memory limit allowed is 6MB");
}

function checkReservation(resources: Resources, supported: boolean, warnings: string[]): void {
	if (!isSet(resources.MemoryReservation)) return;
	if (!supported) {
		warnings.push(unsupported("memory soft limit capabilities", "Limitation discarded."));
		resources.MemoryReservation = 0;
		return;
	}
	const reservation = resources.MemoryReservation ?? 0;
	if (reservation < MINIMUM_MEMORY_BYTES) fail("Minimum memory reservation allowed is 6MB");
	if (isSet(resources.Memory) && (resources.Memory ?? 0) < reservation)
		fail("Minimum memory limit can not be less than memory reservation limit, see usage");
}

function checkSwappiness(resources: Resources, supported: boolean, warnings: string[]): void {
	const swappiness = resources.MemorySwappiness ?? -1;
	if (swappiness === -1) {
		resources.MemorySwappiness = null;
		return;
	}
	if (swappiness < -1 || swappiness > 100) fail(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
	if (supported) return;
	warnings.push(unsupported("memory swappiness capabilities", "Memory swappiness discarded."));
	resources.MemorySwappiness = null;
}

function checkCpu(resources: Resources, host: HostFacts, warnings: string[]): void {
	const { cpuShares, cpuQuota, cpuRealtime } = host.cgroups;
	const nano = resources.NanoCpus ?? 0;
	if (nano !== 0 && isSet(resources.CpuPeriod))
		fail("Conflicting options: Nano CPUs and CPU Period cannot both be set");
	if (nano !== 0 && isSet(resources.CpuQuota)) fail("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
	if (nano !== 0 && !cpuQuota)
		fail("NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted");
	if (nano !== 0 && (nano < 0 || nano > host.cpuCount * 1e9))
		fail(`range of CPUs is from 0.01 to ${host.cpuCount}.00, as there are only ${host.cpuCount} CPUs available`);
	if ((resources.CpuShares ?? 0) < 0)
		fail(`invalid CPU shares (${resources.CpuShares}): value must be a positive integer`);
	if (isSet(resources.CpuShares) && !cpuShares) {
		warnings.push(unsupported("CPU shares", "Shares discarded."));
		resources.CpuShares = 0;
	}
	if ((isSet(resources.CpuPeriod) || isSet(resources.CpuQuota)) && !cpuQuota) {
		warnings.push("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.");
		resources.CpuPeriod = 0;
		resources.CpuQuota = 0;
	}
	const period = resources.CpuPeriod ?? 0;
	if (period !== 0 && (period < 1000 || period > 1_000_000))
		fail("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
	const quota = resources.CpuQuota ?? 0;
	if (quota > 0 && quota < 1000) fail("CPU cfs quota can not be less than 1ms (i.e. 1000)");
	checkRealtime(resources, cpuRealtime);
}

function checkRealtime(resources: Resources, supported: boolean): void {
	const period = resources.CpuRealtimePeriod ?? 0;
	const runtime = resources.CpuRealtimeRuntime ?? 0;
	if ((period !== 0 || runtime !== 0) && !supported) fail("kernel does not support CPU real-time scheduler");
	if (period !== 0 && runtime !== 0 && runtime > period)
		fail("cpu real-time runtime cannot be higher than cpu real-time period");
}

function checkCpuset(resources: Resources, host: HostFacts, warnings: string[]): void {
	const wanted = [resources.CpusetCpus ?? "", resources.CpusetMems ?? ""] as const;
	if (wanted[0] === "" && wanted[1] === "") return;
	if (!host.cgroups.cpuset) {
		warnings.push(unsupported("cpuset", "Cpuset discarded."));
		resources.CpusetCpus = "";
		resources.CpusetMems = "";
		return;
	}
	checkSet(wanted[0], host.onlineCpus, "cpuset cpus", "CPUs");
	checkSet(wanted[1], host.memoryNodes, "cpuset mems", "memory nodes");
}

function checkSet(wanted: string, available: string, field: string, noun: string): void {
	if (wanted === "") return;
	const requested = parseNumberList(wanted);
	if (requested === undefined) {
		const tooLarge = wanted.split(/[,-]/).some((part) => /^\d+$/.test(part) && Number(part) > HIGHEST_NUMBER);
		const why = tooLarge ? `value of out range, maximum is ${HIGHEST_NUMBER}` : `invalid format: ${wanted}`;
		fail(`Invalid value ${wanted} for ${field}: ${why}`);
	}
	const present = new Set(parseNumberList(available));
	if (!requested.every((number) => present.has(number)))
		fail(`Requested ${noun} are not available - requested ${wanted}, available: ${available}`);
}

/** More CPUs than any machine has. */
const HIGHEST_NUMBER = 8192;

/** `0-3,7` as numbers; undefined when malformed. Longer lists than any machine has CPUs are malformed too. */
export function parseNumberList(text: string): number[] | undefined {
	const numbers: number[] = [];
	for (const part of text.trim().split(",")) {
		const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
		if (match === null) return undefined;
		const first = Number(match[1]);
		const last = Number(match[2] ?? first);
		if (last < first || last > HIGHEST_NUMBER) return undefined;
		for (let number = first; number <= last; number++) numbers.push(number);
	}
	return numbers;
}

function checkPids(resources: Resources, host: HostFacts, warnings: string[]): void {
	if ((resources.PidsLimit ?? 0) === 0 || host.cgroups.pidsLimit) return;
	warnings.push(unsupported("PIDs limit capabilities", "PIDs limit discarded."));
	resources.PidsLimit = null;
}

const THROTTLES = [
	["BlkioDeviceReadBps", "Block read limit in bytes per second"],
	["BlkioDeviceWriteBps", "Block write limit in bytes per second"],
	["BlkioDeviceReadIOps", "Block read limit in IO per second"],
	["BlkioDeviceWriteIOps", "Block write limit in IO per second"],
] as const;

function checkBlockIo(resources: Resources, host: HostFacts, warnings: string[]): void {
	const { blkioWeight, blkioWeightDevice, blkioThrottle } = host.cgroups;
	if (isSet(resources.BlkioWeight) && !blkioWeight) {
		warnings.push(unsupported("Block I/O weight", "Weight discarded."));
		resources.BlkioWeight = 0;
	}
	const weight = resources.BlkioWeight ?? 0;
	if (weight !== 0 && (weight < 10 || weight > 1000)) fail("Range of blkio weight is from 10 to 1000");
	if ((resources.BlkioWeightDevice?.length ?? 0) > 0 && !blkioWeightDevice) {
		warnings.push(unsupported("Block I/O weight_device", "Weight-device discarded."));
		resources.BlkioWeightDevice = [];
	}
	for (const [field, name] of THROTTLES) {
		if ((resources[field]?.length ?? 0) === 0 || blkioThrottle) continue;
		warnings.push(`Your kernel does not support ${name} or the cgroup is not mounted. ${name} discarded.`);
		resources[field] = [];
	}
}

/** What exists for Windows, or needs a device driver that is not there. */
function checkUnsupported(resources: Resources, warnings: string[]): void {
	if (isSet(resources.CpuPercent)) {
		warnings.push("linux does not support CPU percent. Percent discarded.");
		resources.CpuPercent = 0;
	}
	if (isSet(resources.IOMaximumIOps)) fail("invalid option: QoS maximum IOPs configuration is not supported on linux");
	if (isSet(resources.IOMaximumBandwidth))
		fail("invalid option: QoS maximum bandwidth configuration is not supported on linux");
	const request = resources.DeviceRequests?.[0];
	if (request !== undefined) {
		const capabilities = (request.Capabilities ?? []).map((set) => `[${set.join(" ")}]`).join(" ");
		throw new NotImplementedError(
			`could not select device driver "${request.Driver ?? ""}" with capabilities: [${capabilities}]`,
		);
	}
}

function isSet(value: number | undefined): boolean {
	return value !== undefined && value !== 0;
}

function unsupported(what: string, consequence: string): string {
	return `Your kernel does not support ${what} or the cgroup is not mounted. ${consequence}`;
}
