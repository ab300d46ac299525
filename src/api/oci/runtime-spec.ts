/** The parts of the OCI runtime specification 1.2 (`config.json`) that the engine writes. */
export interface RuntimeSpec {
	ociVersion: string;
	process: ProcessSpec;
	root: { path: string; readonly: boolean };
	hostname?: string;
	domainname?: string;
	mounts: MountSpec[];
	annotations?: Record<string, string>;
	linux: LinuxSpec;
}

export interface ProcessSpec {
	terminal: boolean;
	consoleSize?: { height: number; width: number };
	user: ProcessUser;
	args: string[];
	env: string[];
	cwd: string;
	capabilities: CapabilitySets;
	rlimits?: ProcessRlimit[];
	noNewPrivileges: boolean;
	oomScoreAdj?: number;
	apparmorProfile?: string;
}

export interface ProcessUser {
	uid: number;
	gid: number;
	umask?: number;
	additionalGids?: number[];
}

export interface CapabilitySets {
	bounding: string[];
	effective: string[];
	permitted: string[];
	inheritable?: string[];
	ambient?: string[];
}

export interface ProcessRlimit {
	type: string;
	soft: RlimitValue;
	hard: RlimitValue;
}

/** A number, or what `JSON.rawJSON` makes of one that is too large for it. */
export type RlimitValue = number | { readonly rawJSON: string };

export interface MountSpec {
	destination: string;
	type: string;
	source: string;
	options: string[];
}

export interface NamespaceSpec {
	type: "mount" | "pid" | "network" | "ipc" | "uts" | "cgroup" | "user";
	path?: string;
}

/** A device node made inside the container. */
export interface DeviceSpec {
	path: string;
	type: "c" | "b" | "p" | "u";
	major: number;
	minor: number;
	fileMode: number;
	uid: number;
	gid: number;
}

/** A rule of the device cgroup; without type, major or minor it speaks of all. */
export interface DeviceRule {
	allow: boolean;
	type?: "a" | "b" | "c";
	major?: number;
	minor?: number;
	access: string;
}

export interface LinuxSpec {
	namespaces: NamespaceSpec[];
	devices?: DeviceSpec[];
	sysctl?: Record<string, string>;
	cgroupsPath: string;
	resources: LinuxResources;
	rootfsPropagation?: string;
	seccomp?: SeccompSpec;
	maskedPaths?: string[];
	readonlyPaths?: string[];
}

export interface LinuxResources {
	devices?: DeviceRule[];
	memory?: {
		limit?: number;
		reservation?: number;
		swap?: number;
		swappiness?: number;
		disableOOMKiller?: boolean;
	};
	cpu?: {
		shares?: number;
		quota?: number;
		period?: number;
		realtimeRuntime?: number;
		realtimePeriod?: number;
		cpus?: string;
		mems?: string;
	};
	pids?: { limit: number };
	blockIO?: {
		weight?: number;
		weightDevice?: { major: number; minor: number; weight: number }[];
		throttleReadBpsDevice?: ThrottleRule[];
		throttleWriteBpsDevice?: ThrottleRule[];
		throttleReadIOPSDevice?: ThrottleRule[];
		throttleWriteIOPSDevice?: ThrottleRule[];
	};
}

export interface ThrottleRule {
	major: number;
	minor: number;
	rate: number;
}

export interface SeccompSpec {
	defaultAction: string;
	defaultErrnoRet?: number;
	architectures?: string[];
	flags?: string[];
	syscalls: SeccompRule[];
}

export interface SeccompRule {
	names: string[];
	action: string;
	errnoRet?: number;
	args?: SeccompArgument[];
}

export interface SeccompArgument {
	index: number;
	value: number;
	valueTwo?: number;
	op: string;
}
