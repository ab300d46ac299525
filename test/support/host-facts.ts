import { capabilitiesOfMask } from "../../src/core/container/capabilities.ts";
import type { DaemonDefaults } from "../../src/core/container/host-config.ts";
import type { HostFacts } from "../../src/core/container/host-facts.ts";

/** A machine with two CPUs, one memory node and every controller. */
export const HOST: HostFacts = {
	cpuCount: 2,
	onlineCpus: "0-1",
	memoryNodes: "0",
	cgroupVersion: 1,
	cgroups: {
		memoryLimit: true,
		swapLimit: true,
		memoryReservation: true,
		memorySwappiness: true,
		oomKillDisable: true,
		cpuShares: true,
		cpuQuota: true,
		cpuRealtime: true,
		cpuset: true,
		pidsLimit: true,
		blkioWeight: true,
		blkioWeightDevice: true,
		blkioThrottle: true,
	},
	hostname: "machine",
	kernelRelease: "6.1.0",
	architecture: "amd64",
	appArmor: false,
	capabilities: capabilitiesOfMask(0x1ffffffffffn),
	hardLimits: { nofile: 1000 },
	canRaiseLimits: false,
};

export const DEFAULTS: DaemonDefaults = {
	runtimes: ["crun", "runc"],
	defaultRuntime: "crun",
	logDriver: "json-file",
	logOptions: {},
	shmSizeBytes: 64 * 1024 ** 2,
	cgroupnsMode: "private",
	ipcMode: "private",
	noNewPrivileges: false,
	dataRoot: "/var/lib/gantry",
};
