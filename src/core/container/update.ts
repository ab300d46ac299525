/** What `POST /containers/{id}/update` makes of a container's limits and restart policy. */
import type { ContainerUpdateRequest, HostConfig, Resources } from "../../api/engine/container.ts";
import type { LinuxResources } from "../../api/oci/runtime-spec.ts";
import { ConflictError } from "../../base/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import { normaliseRestartPolicy } from "./host-config.ts";
import type { HostFacts } from "./host-facts.ts";
import { checkResources } from "./resources.ts";
import { buildResources } from "./spec-resources.ts";

export interface ContainerUpdate {
	readonly hostConfig: HostConfig;
	/** OCI `linux.resources` for the running container; undefined when no limit changes. */
	readonly resources: unknown;
	readonly warnings: readonly string[];
}

/** As many processes as a 64-bit kernel has: crun (1.8) leaves a zero out and writes -1 as it is, which the kernel refuses. */
const ALL_PROCESSES = 4_194_304;

/** Fields that an update may change while the container runs or not. Zero or absent: unchanged. */
const UPDATABLE = [
	"BlkioWeight",
	"CpuPeriod",
	"CpuQuota",
	"CpuRealtimePeriod",
	"CpuRealtimeRuntime",
	"CpuShares",
	"CpusetCpus",
	"CpusetMems",
	"Memory",
	"MemoryReservation",
	"MemorySwap",
	"NanoCpus",
] as const satisfies readonly (keyof Resources)[];

/** @throws ConflictError, InvalidParameterError */
export function planUpdate(record: ContainerRecord, request: ContainerUpdateRequest, host: HostFacts): ContainerUpdate {
	if (record.lifecycle.kind === "removing" || record.lifecycle.kind === "dead")
		throw new ConflictError(
			`Cannot update container ${record.id}: Container is marked for removal and cannot be "update".`,
		);
	const { RestartPolicy: policy, PublishAdd: _added, PublishRm: _removed, ...limits } = request;
	const { resources, warnings } = checkResources(limits, host, "update");
	const changes = changedLimits(resources);
	const current = record.hostConfig;
	checkAgainstCurrent(record.id, current, changes);
	const hostConfig: HostConfig = { ...current, ...changes };
	if ((policy?.Name ?? "") !== "") {
		hostConfig.RestartPolicy = normaliseRestartPolicy(policy, false);
		if (current.AutoRemove === true && policy?.Name !== "no")
			throw new ConflictError(
				`Cannot update container ${record.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
			);
	}
	const isChanged = Object.keys(changes).length > 0;
	return {
		hostConfig,
		resources: isChanged ? kernelResources(hostConfig) : undefined,
		warnings,
	};
}

function changedLimits(resources: Resources): Partial<Resources> {
	const changes: Record<string, unknown> = {};
	for (const field of UPDATABLE) {
		const value = resources[field];
		if (value !== undefined && value !== null && value !== 0 && value !== "") changes[field] = value;
	}
	// Here zero is a value: no limit any more.
	if (typeof resources.PidsLimit === "number") changes["PidsLimit"] = Math.max(0, resources.PidsLimit);
	return changes;
}

function checkAgainstCurrent(id: string, current: HostConfig, changes: Partial<Resources>): void {
	const fail = (why: string): never => {
		throw new ConflictError(`Cannot update container ${id}: ${why}`);
	};
	const isSet = (value: number | undefined) => (value ?? 0) !== 0;
	const conflict = (one: string, other: string) =>
		`Conflicting options: ${one} cannot be updated as ${other} has already been set`;
	if (isSet(changes.CpuPeriod) && isSet(current.NanoCpus)) fail(conflict("CPU Period", "NanoCPUs"));
	if (isSet(changes.CpuQuota) && isSet(current.NanoCpus)) fail(conflict("CPU Quota", "NanoCPUs"));
	if (isSet(changes.NanoCpus) && isSet(current.CpuPeriod)) fail(conflict("Nano CPUs", "CPU Period"));
	if (isSet(changes.NanoCpus) && isSet(current.CpuQuota)) fail(conflict("Nano CPUs", "CPU Quota"));
	const memory = changes.Memory ?? 0;
	const swap = current.MemorySwap ?? 0;
	if (memory > 0 && !isSet(changes.MemorySwap) && swap > 0 && memory > swap)
		fail("Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
}

function kernelResources(hostConfig: HostConfig): LinuxResources {
	const resources = buildResources({ ...effective(hostConfig), ...blockIoUnchanged }, new Map());
	return hostConfig.PidsLimit === 0 ? { ...resources, pids: { limit: ALL_PROCESSES } } : resources;
}

/** Without a swap limit of its own a container may swap as much as it has memory. */
function effective(hostConfig: HostConfig): HostConfig {
	const { Memory = 0, MemorySwap = 0 } = hostConfig;
	return Memory > 0 && MemorySwap === 0 ? { ...hostConfig, MemorySwap: Memory * 2 } : hostConfig;
}

/** Throttles of single devices cannot be updated, so they are left out of what the kernel is told. */
const blockIoUnchanged = {
	BlkioWeightDevice: null,
	BlkioDeviceReadBps: null,
	BlkioDeviceWriteBps: null,
	BlkioDeviceReadIOps: null,
	BlkioDeviceWriteIOps: null,
} as const;
