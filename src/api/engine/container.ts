/**
 * Container shapes of the Engine API, in its own spelling. Requests may leave out any field; the record keeps them normalised.
 * Sizes are bytes, durations nanoseconds, times RFC 3339 with nanoseconds, unless a comment says otherwise.
 */
export type StringMap = Record<string, string>;
export type PortMap = Record<string, PortBinding[] | null>;

export interface PortBinding {
	HostIp?: string;
	HostPort?: string;
}

export interface HealthConfig {
	/** `[]` inherit, `["NONE"]` off, `["CMD", …]`, `["CMD-SHELL", line]`. */
	Test?: string[];
	Interval?: number;
	Timeout?: number;
	Retries?: number;
	StartPeriod?: number;
	StartInterval?: number;
}

export interface ContainerConfig {
	Hostname?: string;
	Domainname?: string;
	User?: string;
	AttachStdin?: boolean;
	AttachStdout?: boolean;
	AttachStderr?: boolean;
	ExposedPorts?: Record<string, Record<string, never>> | null;
	Tty?: boolean;
	OpenStdin?: boolean;
	StdinOnce?: boolean;
	Env?: string[] | null;
	Cmd?: string[] | null;
	Healthcheck?: HealthConfig;
	ArgsEscaped?: boolean;
	Image?: string;
	Volumes?: Record<string, Record<string, never>> | null;
	WorkingDir?: string;
	Entrypoint?: string[] | null;
	NetworkDisabled?: boolean;
	/** Before API 1.44 the container's MAC address stood here. */
	MacAddress?: string;
	OnBuild?: string[] | null;
	Labels?: StringMap | null;
	StopSignal?: string;
	/** Seconds. */
	StopTimeout?: number;
	Shell?: string[] | null;
}

export interface RestartPolicy {
	Name?: "" | "no" | "always" | "unless-stopped" | "on-failure";
	MaximumRetryCount?: number;
}

export interface WeightDevice {
	Path: string;
	Weight: number;
}

export interface ThrottleDevice {
	Path: string;
	Rate: number;
}

export interface DeviceMapping {
	PathOnHost: string;
	PathInContainer?: string;
	CgroupPermissions?: string;
}

export interface DeviceRequest {
	Driver?: string;
	Count?: number;
	DeviceIDs?: string[] | null;
	Capabilities?: string[][] | null;
	Options?: StringMap | null;
}

export interface Ulimit {
	Name: string;
	Soft: number;
	Hard: number;
}

export interface LogConfig {
	Type?: string;
	Config?: StringMap | null;
}

export type MountType = "bind" | "volume" | "tmpfs" | "image" | "npipe" | "cluster";

export interface MountRequest {
	Type: MountType;
	Source?: string;
	Target: string;
	ReadOnly?: boolean;
	Consistency?: string;
	/** Beyond Docker: to whom files belong in the mount, `uids=DISK-SHOWN-LENGTH[#…];gids=…`. Of binds and volumes. */
	IdMap?: string;
	BindOptions?: {
		Propagation?: string;
		NonRecursive?: boolean;
		CreateMountpoint?: boolean;
		ReadOnlyNonRecursive?: boolean;
		ReadOnlyForceRecursive?: boolean;
	};
	VolumeOptions?: {
		NoCopy?: boolean;
		Labels?: StringMap;
		DriverConfig?: { Name?: string; Options?: StringMap };
		Subpath?: string;
	};
	ImageOptions?: { Subpath?: string };
	TmpfsOptions?: { SizeBytes?: number; Mode?: number; Options?: string[][] };
}

/** Everything `POST /containers/{id}/update` may change too. */
export interface Resources {
	CpuShares?: number;
	Memory?: number;
	NanoCpus?: number;
	CgroupParent?: string;
	BlkioWeight?: number;
	BlkioWeightDevice?: WeightDevice[] | null;
	BlkioDeviceReadBps?: ThrottleDevice[] | null;
	BlkioDeviceWriteBps?: ThrottleDevice[] | null;
	BlkioDeviceReadIOps?: ThrottleDevice[] | null;
	BlkioDeviceWriteIOps?: ThrottleDevice[] | null;
	CpuPeriod?: number;
	CpuQuota?: number;
	CpuRealtimePeriod?: number;
	CpuRealtimeRuntime?: number;
	CpusetCpus?: string;
	CpusetMems?: string;
	Devices?: DeviceMapping[] | null;
	DeviceCgroupRules?: string[] | null;
	DeviceRequests?: DeviceRequest[] | null;
	KernelMemory?: number;
	KernelMemoryTCP?: number;
	MemoryReservation?: number;
	MemorySwap?: number;
	MemorySwappiness?: number | null;
	OomKillDisable?: boolean | null;
	PidsLimit?: number | null;
	Ulimits?: Ulimit[] | null;
	CpuCount?: number;
	CpuPercent?: number;
	IOMaximumIOps?: number;
	IOMaximumBandwidth?: number;
}

export interface HostConfig extends Resources {
	Binds?: string[] | null;
	ContainerIDFile?: string;
	LogConfig?: LogConfig;
	NetworkMode?: string;
	PortBindings?: PortMap | null;
	RestartPolicy?: RestartPolicy;
	AutoRemove?: boolean;
	VolumeDriver?: string;
	VolumesFrom?: string[] | null;
	/** `[height, width]`. */
	ConsoleSize?: [number, number];
	Annotations?: StringMap | null;
	CapAdd?: string[] | null;
	CapDrop?: string[] | null;
	CgroupnsMode?: "" | "private" | "host";
	Dns?: string[] | null;
	DnsOptions?: string[] | null;
	DnsSearch?: string[] | null;
	ExtraHosts?: string[] | null;
	GroupAdd?: string[] | null;
	IpcMode?: string;
	Cgroup?: string;
	Links?: string[] | null;
	OomScoreAdj?: number;
	PidMode?: string;
	Privileged?: boolean;
	PublishAllPorts?: boolean;
	ReadonlyRootfs?: boolean;
	SecurityOpt?: string[] | null;
	StorageOpt?: StringMap | null;
	Tmpfs?: StringMap | null;
	UTSMode?: string;
	UsernsMode?: string;
	ShmSize?: number;
	Sysctls?: StringMap | null;
	Runtime?: string;
	Isolation?: string;
	Mounts?: MountRequest[] | null;
	MaskedPaths?: string[] | null;
	ReadonlyPaths?: string[] | null;
	Init?: boolean | null;
}

export interface EndpointSettings {
	IPAMConfig?: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] } | null;
	Links?: string[] | null;
	Aliases?: string[] | null;
	MacAddress?: string;
	DriverOpts?: StringMap | null;
	GwPriority?: number;
	NetworkID?: string;
	EndpointID?: string;
	Gateway?: string;
	IPAddress?: string;
	IPPrefixLen?: number;
	IPv6Gateway?: string;
	GlobalIPv6Address?: string;
	GlobalIPv6PrefixLen?: number;
	DNSNames?: string[] | null;
}

export interface NetworkingConfig {
	EndpointsConfig?: Record<string, EndpointSettings | null> | null;
}

export interface ContainerCreateRequest extends ContainerConfig {
	HostConfig?: HostConfig;
	NetworkingConfig?: NetworkingConfig;
}

export interface ContainerCreateResponse {
	Id: string;
	Warnings: string[];
}

/** What `GET /containers/{id}/json` says of a mount. */
export interface MountPoint {
	Type: MountType;
	Name?: string;
	Source: string;
	Destination: string;
	Driver?: string;
	Mode: string;
	RW: boolean;
	Propagation: string;
}

export type ContainerStatusName = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

export interface HealthcheckResult {
	Start: string;
	End: string;
	ExitCode: number;
	Output: string;
}

export interface Health {
	Status: "none" | "starting" | "healthy" | "unhealthy";
	FailingStreak: number;
	Log: HealthcheckResult[] | null;
}

export interface ContainerState {
	Status: ContainerStatusName;
	Running: boolean;
	Paused: boolean;
	Restarting: boolean;
	OOMKilled: boolean;
	Dead: boolean;
	Pid: number;
	ExitCode: number;
	Error: string;
	StartedAt: string;
	FinishedAt: string;
	Health?: Health;
}

export interface NetworkSettings {
	Bridge?: string;
	SandboxID: string;
	SandboxKey: string;
	Ports: PortMap;
	HairpinMode?: boolean;
	LinkLocalIPv6Address?: string;
	LinkLocalIPv6PrefixLen?: number;
	SecondaryIPAddresses?: null;
	SecondaryIPv6Addresses?: null;
	EndpointID?: string;
	Gateway?: string;
	GlobalIPv6Address?: string;
	GlobalIPv6PrefixLen?: number;
	IPAddress?: string;
	IPPrefixLen?: number;
	IPv6Gateway?: string;
	MacAddress?: string;
	Networks: Record<string, EndpointSettings>;
}

export interface ContainerInspect {
	Id: string;
	Created: string;
	Path: string;
	Args: string[];
	State: ContainerState;
	Image: string;
	ResolvConfPath: string;
	HostnamePath: string;
	HostsPath: string;
	LogPath: string;
	Name: string;
	RestartCount: number;
	Driver: string;
	Platform: string;
	MountLabel: string;
	ProcessLabel: string;
	AppArmorProfile: string;
	ExecIDs: string[] | null;
	HostConfig: HostConfig;
	GraphDriver: { Name: string; Data: StringMap | null };
	SizeRw?: number;
	SizeRootFs?: number;
	Mounts: MountPoint[];
	Config: ContainerConfig;
	NetworkSettings: NetworkSettings;
}

export interface PortSummary {
	IP?: string;
	PrivatePort: number;
	PublicPort?: number;
	Type: string;
}

export interface ContainerSummary {
	Id: string;
	Names: string[];
	Image: string;
	ImageID: string;
	Command: string;
	/** Seconds since the epoch. */
	Created: number;
	Ports: PortSummary[];
	SizeRw?: number;
	SizeRootFs?: number;
	Labels: StringMap;
	State: ContainerStatusName;
	Status: string;
	HostConfig: { NetworkMode: string; Annotations?: StringMap };
	NetworkSettings: { Networks: Record<string, EndpointSettings> };
	Mounts: MountPoint[];
	Health?: { Status: string; FailingStreak: number };
}

export interface ContainerUpdateRequest extends Resources {
	RestartPolicy?: RestartPolicy;
	/** Beyond Docker: ports to publish and to take back while the container runs, or for its next start. */
	PublishAdd?: PortMap | null;
	/** An empty list, or a binding without address and port, means all bindings of the port. */
	PublishRm?: PortMap | null;
}

export interface ContainerTopResponse {
	Titles: string[];
	Processes: string[][];
}

/** Kind 0 modified, 1 added, 2 deleted. */
export interface FilesystemChange {
	Path: string;
	Kind: 0 | 1 | 2;
}

export interface ContainerWaitResponse {
	StatusCode: number;
	Error?: { Message: string } | null;
}

/** Base64 JSON in the `X-Docker-Container-Path-Stat` header. */
export interface ContainerPathStat {
	name: string;
	size: number;
	/** Go `os.FileMode` bits. */
	mode: number;
	mtime: string;
	linkTarget: string;
}

export interface ContainerPruneResponse {
	ContainersDeleted: string[] | null;
	SpaceReclaimed: number;
}

export interface CpuStats {
	cpu_usage: { total_usage: number; percpu_usage?: number[]; usage_in_kernelmode: number; usage_in_usermode: number };
	system_cpu_usage?: number;
	online_cpus?: number;
	throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}

export interface BlkioStatEntry {
	major: number;
	minor: number;
	op: string;
	value: number;
}

export interface ContainerStats {
	name: string;
	id: string;
	os_type?: string;
	read: string;
	preread: string;
	num_procs: number;
	pids_stats: { current?: number; limit?: number };
	cpu_stats: CpuStats;
	precpu_stats: CpuStats;
	memory_stats: {
		usage?: number;
		max_usage?: number;
		limit?: number;
		failcnt?: number;
		stats?: Record<string, number>;
	};
	blkio_stats: Record<string, BlkioStatEntry[] | null>;
	networks?: Record<
		string,
		{
			rx_bytes: number;
			rx_packets: number;
			rx_errors: number;
			rx_dropped: number;
			tx_bytes: number;
			tx_packets: number;
			tx_errors: number;
			tx_dropped: number;
		}
	>;
	storage_stats: Record<string, never>;
}
