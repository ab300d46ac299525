/** Shapes of the request bodies. */
import type * as container from "../api/engine/container.ts";
import type * as exec from "../api/engine/exec.ts";
import type * as gc from "../api/engine/gc.ts";
import type * as network from "../api/engine/network.ts";
import type * as registry from "../api/engine/registry.ts";
import type * as volume from "../api/engine/volume.ts";
import type { FieldShapes, Shape } from "./json-shape.ts";

const GC_REQUEST: FieldShapes<gc.GcRequest> = {
	DryRun: "boolean",
	MaxUsedSpace: "string",
	MinFreeSpace: "string",
	UnusedFor: "string",
};
export const GC_REQUEST_SHAPE: Shape = { fields: GC_REQUEST };

const AUTH_CONFIG: FieldShapes<registry.AuthConfig> = {
	username: "string",
	password: "string",
	auth: "string",
	email: "string",
	serveraddress: "string",
	identitytoken: "string",
	registrytoken: "string",
};
const PUSH_INDEX: FieldShapes<registry.IndexPushRequest> = {
	mediaType: "string",
	content: "string",
	sources: { list: "string" },
};
export const PUSH_INDEX_SHAPE: Shape = { fields: PUSH_INDEX };
export const AUTH_CONFIG_SHAPE: Shape = { fields: AUTH_CONFIG };

const PORT_MAP: Shape = { map: { list: { fields: { HostIp: "string", HostPort: "string" } } } };
const STRINGS: Shape = { list: "string" };
const STRING_MAP: Shape = { map: "string" };
const EMPTY_OBJECTS: Shape = { map: { fields: {} } };

const HEALTH_CONFIG: FieldShapes<container.HealthConfig> = {
	Test: STRINGS,
	Interval: "integer",
	Timeout: "integer",
	Retries: "integer",
	StartPeriod: "integer",
	StartInterval: "integer",
};

const CONTAINER_CONFIG: FieldShapes<container.ContainerConfig> = {
	Hostname: "string",
	Domainname: "string",
	User: "string",
	AttachStdin: "boolean",
	AttachStdout: "boolean",
	AttachStderr: "boolean",
	ExposedPorts: EMPTY_OBJECTS,
	Tty: "boolean",
	OpenStdin: "boolean",
	StdinOnce: "boolean",
	Env: STRINGS,
	Cmd: "command",
	Healthcheck: { fields: HEALTH_CONFIG },
	ArgsEscaped: "boolean",
	Image: "string",
	Volumes: EMPTY_OBJECTS,
	WorkingDir: "string",
	Entrypoint: "command",
	NetworkDisabled: "boolean",
	MacAddress: "string",
	OnBuild: STRINGS,
	Labels: STRING_MAP,
	StopSignal: "string",
	StopTimeout: "integer",
	Shell: "command",
};

const WEIGHT_DEVICE: FieldShapes<container.WeightDevice> = { Path: "string", Weight: "integer" };
const THROTTLE_DEVICE: FieldShapes<container.ThrottleDevice> = { Path: "string", Rate: "integer" };
const THROTTLE_DEVICES: Shape = { list: { fields: THROTTLE_DEVICE } };
const DEVICE_MAPPING: FieldShapes<container.DeviceMapping> = {
	PathOnHost: "string",
	PathInContainer: "string",
	CgroupPermissions: "string",
};
const DEVICE_REQUEST: FieldShapes<container.DeviceRequest> = {
	Driver: "string",
	Count: "integer",
	DeviceIDs: STRINGS,
	Capabilities: { list: STRINGS },
	Options: STRING_MAP,
};
const ULIMIT: FieldShapes<container.Ulimit> = { Name: "string", Soft: "integer", Hard: "integer" };
const RESTART_POLICY: FieldShapes<container.RestartPolicy> = { Name: "string", MaximumRetryCount: "integer" };
const LOG_CONFIG: FieldShapes<container.LogConfig> = { Type: "string", Config: STRING_MAP };

const RESOURCES: FieldShapes<container.Resources> = {
	CpuShares: "integer",
	Memory: "integer",
	NanoCpus: "integer",
	CgroupParent: "string",
	BlkioWeight: "integer",
	BlkioWeightDevice: { list: { fields: WEIGHT_DEVICE } },
	BlkioDeviceReadBps: THROTTLE_DEVICES,
	BlkioDeviceWriteBps: THROTTLE_DEVICES,
	BlkioDeviceReadIOps: THROTTLE_DEVICES,
	BlkioDeviceWriteIOps: THROTTLE_DEVICES,
	CpuPeriod: "integer",
	CpuQuota: "integer",
	CpuRealtimePeriod: "integer",
	CpuRealtimeRuntime: "integer",
	CpusetCpus: "string",
	CpusetMems: "string",
	Devices: { list: { fields: DEVICE_MAPPING } },
	DeviceCgroupRules: STRINGS,
	DeviceRequests: { list: { fields: DEVICE_REQUEST } },
	KernelMemory: "integer",
	KernelMemoryTCP: "integer",
	MemoryReservation: "integer",
	MemorySwap: "integer",
	MemorySwappiness: "integer",
	OomKillDisable: "boolean",
	PidsLimit: "integer",
	Ulimits: { list: { fields: ULIMIT } },
	CpuCount: "integer",
	CpuPercent: "integer",
	IOMaximumIOps: "integer",
	IOMaximumBandwidth: "integer",
};

const MOUNT_REQUEST: FieldShapes<container.MountRequest> = {
	Type: "string",
	Source: "string",
	Target: "string",
	ReadOnly: "boolean",
	Consistency: "string",
	IdMap: "string",
	BindOptions: {
		fields: {
			Propagation: "string",
			NonRecursive: "boolean",
			CreateMountpoint: "boolean",
			ReadOnlyNonRecursive: "boolean",
			ReadOnlyForceRecursive: "boolean",
		} satisfies FieldShapes<NonNullable<container.MountRequest["BindOptions"]>>,
	},
	VolumeOptions: {
		fields: {
			NoCopy: "boolean",
			Labels: STRING_MAP,
			DriverConfig: { fields: { Name: "string", Options: STRING_MAP } },
			Subpath: "string",
		} satisfies FieldShapes<NonNullable<container.MountRequest["VolumeOptions"]>>,
	},
	ImageOptions: { fields: { Subpath: "string" } },
	TmpfsOptions: { fields: { SizeBytes: "integer", Mode: "integer", Options: { list: STRINGS } } },
};

const HOST_CONFIG: FieldShapes<container.HostConfig> = {
	...RESOURCES,
	Binds: STRINGS,
	ContainerIDFile: "string",
	LogConfig: { fields: LOG_CONFIG },
	NetworkMode: "string",
	PortBindings: PORT_MAP,
	RestartPolicy: { fields: RESTART_POLICY },
	AutoRemove: "boolean",
	VolumeDriver: "string",
	VolumesFrom: STRINGS,
	ConsoleSize: { list: "integer" },
	Annotations: STRING_MAP,
	CapAdd: "command",
	CapDrop: "command",
	CgroupnsMode: "string",
	Dns: STRINGS,
	DnsOptions: STRINGS,
	DnsSearch: STRINGS,
	ExtraHosts: STRINGS,
	GroupAdd: STRINGS,
	IpcMode: "string",
	Cgroup: "string",
	Links: STRINGS,
	OomScoreAdj: "integer",
	PidMode: "string",
	Privileged: "boolean",
	PublishAllPorts: "boolean",
	ReadonlyRootfs: "boolean",
	SecurityOpt: STRINGS,
	StorageOpt: STRING_MAP,
	Tmpfs: STRING_MAP,
	UTSMode: "string",
	UsernsMode: "string",
	ShmSize: "integer",
	Sysctls: STRING_MAP,
	Runtime: "string",
	Isolation: "string",
	Mounts: { list: { fields: MOUNT_REQUEST } },
	MaskedPaths: STRINGS,
	ReadonlyPaths: STRINGS,
	Init: "boolean",
};

const ENDPOINT_SETTINGS: FieldShapes<container.EndpointSettings> = {
	IPAMConfig: { fields: { IPv4Address: "string", IPv6Address: "string", LinkLocalIPs: STRINGS } },
	Links: STRINGS,
	Aliases: STRINGS,
	MacAddress: "string",
	DriverOpts: STRING_MAP,
	GwPriority: "integer",
	NetworkID: "string",
	EndpointID: "string",
	Gateway: "string",
	IPAddress: "string",
	IPPrefixLen: "integer",
	IPv6Gateway: "string",
	GlobalIPv6Address: "string",
	GlobalIPv6PrefixLen: "integer",
	DNSNames: STRINGS,
};

export const CONTAINER_CONFIG_SHAPE: Shape = { fields: CONTAINER_CONFIG };

export const CONTAINER_CREATE_SHAPE: Shape = {
	fields: {
		...CONTAINER_CONFIG,
		HostConfig: { fields: HOST_CONFIG },
		NetworkingConfig: { fields: { EndpointsConfig: { map: { fields: ENDPOINT_SETTINGS } } } },
	} satisfies FieldShapes<container.ContainerCreateRequest>,
};

export const CONTAINER_UPDATE_SHAPE: Shape = {
	fields: {
		...RESOURCES,
		RestartPolicy: { fields: RESTART_POLICY },
		PublishAdd: PORT_MAP,
		PublishRm: PORT_MAP,
	} satisfies FieldShapes<container.ContainerUpdateRequest>,
};

export const EXEC_CREATE_SHAPE: Shape = {
	fields: {
		AttachStdin: "boolean",
		AttachStdout: "boolean",
		AttachStderr: "boolean",
		ConsoleSize: { list: "integer" },
		DetachKeys: "string",
		Tty: "boolean",
		Env: STRINGS,
		Cmd: "command",
		Privileged: "boolean",
		User: "string",
		WorkingDir: "string",
	} satisfies FieldShapes<exec.ExecCreateRequest>,
};

export const EXEC_START_SHAPE: Shape = {
	fields: {
		Detach: "boolean",
		Tty: "boolean",
		ConsoleSize: { list: "integer" },
	} satisfies FieldShapes<exec.ExecStartRequest>,
};

export const VOLUME_CREATE_SHAPE: Shape = {
	fields: {
		Name: "string",
		Driver: "string",
		DriverOpts: STRING_MAP,
		Labels: STRING_MAP,
		ClusterVolumeSpec: "any",
	} satisfies FieldShapes<volume.VolumeCreateRequest>,
};

export const NETWORK_CREATE_SHAPE: Shape = {
	fields: {
		Name: "string",
		CheckDuplicate: "boolean",
		Driver: "string",
		Scope: "string",
		Internal: "boolean",
		Attachable: "boolean",
		Ingress: "boolean",
		ConfigOnly: "boolean",
		ConfigFrom: { fields: { Network: "string" } },
		IPAM: {
			fields: {
				Driver: "string",
				Options: STRING_MAP,
				Config: {
					list: {
						fields: {
							Subnet: "string",
							IPRange: "string",
							Gateway: "string",
							AuxiliaryAddresses: STRING_MAP,
						} satisfies FieldShapes<network.IpamConfig>,
					},
				},
			},
		},
		EnableIPv4: "boolean",
		EnableIPv6: "boolean",
		Options: STRING_MAP,
		Labels: STRING_MAP,
	} satisfies FieldShapes<network.NetworkCreateRequest>,
};

export interface NetworkConnectRequest {
	readonly Container?: string;
	readonly EndpointConfig?: container.EndpointSettings;
}

export const NETWORK_CONNECT_SHAPE: Shape = {
	fields: {
		Container: "string",
		EndpointConfig: { fields: ENDPOINT_SETTINGS },
	} satisfies FieldShapes<NetworkConnectRequest>,
};

export interface NetworkDisconnectRequest {
	readonly Container?: string;
	readonly Force?: boolean;
}

export const NETWORK_DISCONNECT_SHAPE: Shape = {
	fields: { Container: "string", Force: "boolean" } satisfies FieldShapes<NetworkDisconnectRequest>,
};
