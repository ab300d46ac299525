/** What of the machine decides whether a request can be met. Found out once by the daemon and handed to the pure core. */
export interface HostFacts {
	readonly cpuCount: number;
	/** Lists in kernel syntax, e.g. `0-3,5`. */
	readonly onlineCpus: string;
	readonly memoryNodes: string;
	readonly cgroupVersion: 1 | 2;
	readonly cgroups: CgroupFeatures;
	/** The machine's own host name, shown inside containers that share its UTS or network namespace. */
	readonly hostname: string;
	/** `6.18.3`; decides which seccomp rules apply. */
	readonly kernelRelease: string;
	/** As Go names it: `amd64`, `arm64`, … */
	readonly architecture: string;
	/** Whether AppArmor is on. */
	readonly appArmor: boolean;
	/** Names (`CAP_CHOWN`, …) of the daemon's bounding set; no container gets more. */
	readonly capabilities: ReadonlySet<string>;
	/** Hard limits of the daemon itself by name (`nofile`, …); absent: unlimited. Without CAP_SYS_RESOURCE they cannot be raised. */
	readonly hardLimits: Readonly<Record<string, number>>;
	/** Whether the daemon may raise them all the same. */
	readonly canRaiseLimits: boolean;
}

/** Which limits the mounted controllers can enforce. */
export interface CgroupFeatures {
	readonly memoryLimit: boolean;
	readonly swapLimit: boolean;
	readonly memoryReservation: boolean;
	readonly memorySwappiness: boolean;
	readonly oomKillDisable: boolean;
	readonly cpuShares: boolean;
	readonly cpuQuota: boolean;
	readonly cpuRealtime: boolean;
	readonly cpuset: boolean;
	readonly pidsLimit: boolean;
	readonly blkioWeight: boolean;
	readonly blkioWeightDevice: boolean;
	readonly blkioThrottle: boolean;
}
