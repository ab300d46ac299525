import type { BlkioStatEntry } from "../../api/engine/container.ts";

/** Counters of one container's cgroups at one moment. Times in nanoseconds, sizes in bytes. */
export interface ResourceUsage {
	readonly cpu: {
		readonly totalNs: number;
		readonly kernelNs: number;
		readonly userNs: number;
		/** Absent on cgroup v2. */
		readonly perCpuNs?: readonly number[];
		readonly periods: number;
		readonly throttledPeriods: number;
		readonly throttledNs: number;
	};
	readonly memory: {
		readonly usageBytes: number;
		/** Absent on cgroup v2. */
		readonly maxUsageBytes?: number;
		readonly failCount?: number;
		/** The cgroup's limit, or the machine's memory when there is none. */
		readonly limitBytes: number;
		/** The lines of memory.stat. */
		readonly stats: Readonly<Record<string, number>>;
	};
	readonly pids: { readonly current: number; readonly limit?: number };
	readonly blkio: Readonly<Record<string, readonly BlkioStatEntry[]>>;
}

/** What the kernel counts and lists for containers. */
export interface ResourceMonitor {
	/** Undefined when the process is gone. @param pid any process of the container */
	usage(pid: number): ResourceUsage | undefined;
	/** CPU time of the whole machine in nanoseconds, and how many CPUs are online. */
	system(): { readonly cpuNs: number; readonly onlineCpus: number };
	/** Host process IDs of everything in the container's cgroups, its child cgroups included. */
	processes(pid: number): number[];
	/** Directory of the memory controller's (v1) or the unified (v2) cgroup for an OCI `cgroupsPath`. */
	memoryCgroup(cgroupsPath: string): string;
	/** Removes the empty cgroups of an OCI `cgroupsPath` that are still there: OCI runtimes leave them when a create fails half-way. */
	removeCgroups(cgroupsPath: string): void;
	/** Whether `pid` still is the process that was started then: the container's recorded pid was not given away. */
	isAlive(pid: number): boolean;
	/** Output of `ps` with these arguments. @throws InvalidParameterError, SystemError with what ps says */
	listProcesses(psArguments: readonly string[]): Promise<string>;
}
