import type { HostConfig } from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";

/** Fields that are left out while they are empty. */
const OPTIONAL = ["Annotations", "StorageOpt", "Sysctls", "Tmpfs", "Mounts", "Init"] as const;

/** The host configuration with every field that Docker always shows, `null` where nobody said anything. */
export function viewHostConfig(stored: HostConfig, version: ApiVersion): HostConfig {
	const view: HostConfig = {
		Binds: stored.Binds ?? null,
		ContainerIDFile: stored.ContainerIDFile ?? "",
		LogConfig: { Type: stored.LogConfig?.Type ?? "", Config: stored.LogConfig?.Config ?? {} },
		NetworkMode: stored.NetworkMode ?? "",
		PortBindings: stored.PortBindings ?? {},
		RestartPolicy: {
			Name: stored.RestartPolicy?.Name ?? "no",
			MaximumRetryCount: stored.RestartPolicy?.MaximumRetryCount ?? 0,
		},
		AutoRemove: stored.AutoRemove ?? false,
		VolumeDriver: stored.VolumeDriver ?? "",
		VolumesFrom: stored.VolumesFrom ?? null,
		ConsoleSize: stored.ConsoleSize ?? [0, 0],
		CapAdd: stored.CapAdd ?? null,
		CapDrop: stored.CapDrop ?? null,
		CgroupnsMode: stored.CgroupnsMode ?? "",
		Dns: stored.Dns ?? null,
		DnsOptions: stored.DnsOptions ?? null,
		DnsSearch: stored.DnsSearch ?? null,
		ExtraHosts: stored.ExtraHosts ?? null,
		GroupAdd: stored.GroupAdd ?? null,
		IpcMode: stored.IpcMode ?? "",
		Cgroup: stored.Cgroup ?? "",
		Links: stored.Links ?? null,
		OomScoreAdj: stored.OomScoreAdj ?? 0,
		PidMode: stored.PidMode ?? "",
		Privileged: stored.Privileged ?? false,
		PublishAllPorts: stored.PublishAllPorts ?? false,
		ReadonlyRootfs: stored.ReadonlyRootfs ?? false,
		SecurityOpt: stored.SecurityOpt ?? null,
		UTSMode: stored.UTSMode ?? "",
		UsernsMode: stored.UsernsMode ?? "",
		ShmSize: stored.ShmSize ?? 0,
		Runtime: stored.Runtime ?? "",
		Isolation: stored.Isolation ?? "",
		...viewResources(stored),
		MaskedPaths: stored.MaskedPaths ?? null,
		ReadonlyPaths: stored.ReadonlyPaths ?? null,
	};
	for (const field of OPTIONAL) {
		const value = stored[field];
		const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
		if (value !== undefined && value !== null && !isEmpty) Object.assign(view, { [field]: value });
	}
	if (!atLeast(version, 43)) delete view.Annotations;
	return view;
}

function viewResources(stored: HostConfig): HostConfig {
	return {
		CpuShares: stored.CpuShares ?? 0,
		Memory: stored.Memory ?? 0,
		NanoCpus: stored.NanoCpus ?? 0,
		CgroupParent: stored.CgroupParent ?? "",
		BlkioWeight: stored.BlkioWeight ?? 0,
		BlkioWeightDevice: stored.BlkioWeightDevice ?? null,
		BlkioDeviceReadBps: stored.BlkioDeviceReadBps ?? null,
		BlkioDeviceWriteBps: stored.BlkioDeviceWriteBps ?? null,
		BlkioDeviceReadIOps: stored.BlkioDeviceReadIOps ?? null,
		BlkioDeviceWriteIOps: stored.BlkioDeviceWriteIOps ?? null,
		CpuPeriod: stored.CpuPeriod ?? 0,
		CpuQuota: stored.CpuQuota ?? 0,
		CpuRealtimePeriod: stored.CpuRealtimePeriod ?? 0,
		CpuRealtimeRuntime: stored.CpuRealtimeRuntime ?? 0,
		CpusetCpus: stored.CpusetCpus ?? "",
		CpusetMems: stored.CpusetMems ?? "",
		Devices: stored.Devices ?? null,
		DeviceCgroupRules: stored.DeviceCgroupRules ?? null,
		DeviceRequests: stored.DeviceRequests ?? null,
		MemoryReservation: stored.MemoryReservation ?? 0,
		MemorySwap: stored.MemorySwap ?? 0,
		MemorySwappiness: stored.MemorySwappiness ?? null,
		OomKillDisable: stored.OomKillDisable ?? false,
		PidsLimit: stored.PidsLimit ?? null,
		Ulimits: stored.Ulimits ?? null,
		CpuCount: stored.CpuCount ?? 0,
		CpuPercent: stored.CpuPercent ?? 0,
		IOMaximumIOps: stored.IOMaximumIOps ?? 0,
		IOMaximumBandwidth: stored.IOMaximumBandwidth ?? 0,
	};
}
