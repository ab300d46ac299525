import type {
	ContainerConfig,
	ContainerCreateRequest,
	HostConfig,
	Resources,
	RestartPolicy,
} from "../../api/engine/container.ts";
import type { ParsedOptions } from "../command.ts";
import type { Environment } from "../settings.ts";
import { checkAddHost, checkBytes, checkCpus, checkMemorySwap, checkUlimit } from "./option-checks.ts";

/**
 * What `create` and `run` ask the daemon for. Options that were not given are left out, so the daemon's defaults hold. Parsers of
 * the less common options are loaded when they are used: each module costs a fraction of a millisecond of every `run`.
 * @throws UsageError, Error with docker's messages
 */
export async function buildCreateRequest(
	options: ParsedOptions,
	[image = "", ...command]: readonly string[],
	environment: Environment,
): Promise<ContainerCreateRequest> {
	checkConflicts(options);
	const host: HostConfig = {
		...plainHostOptions(options),
		...updatableResources(options),
		...fixedResources(options),
		NetworkMode: "default",
	};
	const config: ContainerCreateRequest = {
		Image: image,
		...processOptions(options, command),
		...attachOptions(options),
		...(await environmentOptions(options, environment)),
		HostConfig: host,
	};
	if (anyGiven(options, ["publish", "expose"])) {
		const ports = (await import("./port-options.ts")).parsePorts(options.list("publish"), options.list("expose"));
		config.ExposedPorts = ports.exposed;
		if (options.has("publish")) host.PortBindings = ports.bindings;
	}
	await addMounts(options, config, host);
	if (anyGiven(options, NETWORK_OPTIONS)) {
		const networks = (await import("./network-options.ts")).parseNetworks(options);
		host.NetworkMode = networks.mode;
		if (networks.links.length > 0) host.Links = networks.links;
		config.NetworkingConfig = { EndpointsConfig: networks.endpoints };
	}
	if (anyGiven(options, HEALTH_OPTIONS)) {
		const check = (await import("./health-options.ts")).parseHealthcheck(options);
		if (check !== undefined) config.Healthcheck = check;
	}
	if (anyGiven(options, DEVICE_OPTIONS))
		Object.assign(host, (await import("./device-options.ts")).parseDeviceOptions(options));
	if (options.has("security-opt")) {
		const security = (await import("./security-options.ts")).parseSecurityOptions(options.list("security-opt"));
		host.SecurityOpt = security.options;
		if (security.isUnmasked) Object.assign(host, { MaskedPaths: [], ReadonlyPaths: [] });
	}
	return config;
}

const NETWORK_OPTIONS = [
	"net",
	"network",
	"net-alias",
	"network-alias",
	"ip",
	"ip6",
	"link",
	"link-local-ip",
	"mac-address",
];
const HEALTH_OPTIONS = [
	"no-healthcheck",
	"health-cmd",
	"health-interval",
	"health-retries",
	"health-start-interval",
	"health-start-period",
	"health-timeout",
];
const DEVICE_OPTIONS = [
	"device",
	"device-cgroup-rule",
	"device-read-bps",
	"device-read-iops",
	"device-write-bps",
	"device-write-iops",
	"blkio-weight-device",
	"gpus",
];

function anyGiven(options: ParsedOptions, names: readonly string[]): boolean {
	return names.some((name) => options.has(name));
}

function checkConflicts(options: ParsedOptions): void {
	const swappiness = Number(options.text("memory-swappiness"));
	if (swappiness !== -1 && (swappiness < 0 || swappiness > 100))
		throw new Error(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
	const mode = (name: string, isValid: (text: string) => boolean, what: string) => {
		const text = options.text(name);
		if (text !== "" && !isValid(text)) throw new Error(`--${name}: invalid ${what} mode`);
	};
	mode("pid", (text) => text === "host" || /^container:.+/.test(text), "PID");
	mode("uts", (text) => text === "host", "UTS");
	mode("userns", (text) => text === "host", "USER");
	mode("cgroupns", (text) => text === "host" || text === "private", "CGROUP");
	const restart = parseRestartPolicy(options.text("restart")).Name;
	if (options.bool("rm") && restart !== "no" && restart !== "")
		throw new Error("conflicting options: cannot specify both --restart and --rm");
	if (options.has("log-opt") && options.text("log-driver") === "none")
		throw new Error("invalid logging opts for driver none");
	if (options.bool("use-api-socket")) throw new Error("--use-api-socket is not available yet");
	if (options.list("storage-opt").some((text) => !text.includes("="))) throw new Error("invalid storage option");
}

/** `no`, `always`, `unless-stopped`, `on-failure[:max]`; what the names may be is the daemon's to say. */
export function parseRestartPolicy(text: string): RestartPolicy {
	const colon = text.indexOf(":");
	const name = (colon < 0 ? text : text.slice(0, colon)) as NonNullable<RestartPolicy["Name"]>;
	if (colon < 0) return { Name: name };
	if (colon === 0) throw new Error("invalid restart policy format: no policy provided before colon");
	const count = text.slice(colon + 1);
	if (!/^-?\d+$/.test(count)) throw new Error("invalid restart policy format: maximum retry count must be an integer");
	return { Name: name, MaximumRetryCount: Number(count) };
}

function processOptions(options: ParsedOptions, command: readonly string[]): ContainerConfig {
	const entrypoint = options.text("entrypoint");
	return {
		...(command.length === 0 ? {} : { Cmd: [...command] }),
		// `--entrypoint ""` takes the image's entry point away.
		...(options.has("entrypoint") ? { Entrypoint: [entrypoint] } : {}),
		...text(options, "hostname", "Hostname"),
		...text(options, "domainname", "Domainname"),
		...text(options, "user", "User"),
		...text(options, "workdir", "WorkingDir"),
		...text(options, "stop-signal", "StopSignal"),
		...(options.has("stop-timeout") ? { StopTimeout: Number(options.text("stop-timeout")) } : {}),
	};
}

function attachOptions(options: ParsedOptions): ContainerConfig {
	const attach = options.list("attach").map((stream) => stream.toLowerCase());
	const isInteractive = options.bool("interactive");
	const attachStdin = isInteractive || attach.includes("stdin");
	return {
		AttachStdin: attachStdin,
		AttachStdout: attach.length === 0 || attach.includes("stdout"),
		AttachStderr: attach.length === 0 || attach.includes("stderr"),
		Tty: options.bool("tty"),
		OpenStdin: isInteractive,
		StdinOnce: isInteractive && attachStdin,
	};
}

async function environmentOptions(options: ParsedOptions, environment: Environment): Promise<ContainerConfig> {
	if (!anyGiven(options, ["env", "env-file", "label", "label-file"])) return {};
	const { readEnvironment, readLabels } = await import("./process-options.ts");
	const variables = readEnvironment(options.list("env-file"), options.list("env"), environment);
	const labels = readLabels(options.list("label-file"), options.list("label"));
	return {
		...(variables.length === 0 ? {} : { Env: variables }),
		...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
	};
}

async function addMounts(options: ParsedOptions, config: ContainerCreateRequest, host: HostConfig): Promise<void> {
	if (!anyGiven(options, ["volume", "mount", "tmpfs"])) return;
	const [{ parseMount, parseTmpfs, parseVolumes }, { parseValues }] = await Promise.all([
		import("./mount-options.ts"),
		import("../option-parser.ts"),
	]);
	const { binds, anonymous } = parseVolumes(options.list("volume"));
	if (binds.length > 0) host.Binds = binds;
	if (Object.keys(anonymous).length > 0) config.Volumes = anonymous;
	if (options.has("mount")) host.Mounts = parseValues(options, "mount", parseMount);
	if (options.has("tmpfs")) host.Tmpfs = parseTmpfs(options.list("tmpfs"));
}

function plainHostOptions(options: ParsedOptions): HostConfig {
	return {
		...text(options, "cidfile", "ContainerIDFile"),
		...(text(options, "cgroupns", "CgroupnsMode") as Pick<HostConfig, "CgroupnsMode">),
		...text(options, "ipc", "IpcMode"),
		...text(options, "isolation", "Isolation"),
		...text(options, "pid", "PidMode"),
		...text(options, "runtime", "Runtime"),
		...text(options, "userns", "UsernsMode"),
		...text(options, "uts", "UTSMode"),
		...text(options, "volume-driver", "VolumeDriver"),
		...(options.has("cap-add") ? { CapAdd: options.list("cap-add").map(fullCapabilityName) } : {}),
		...(options.has("cap-drop") ? { CapDrop: options.list("cap-drop").map(fullCapabilityName) } : {}),
		...list(options, "dns", "Dns"),
		...list(options, "dns-search", "DnsSearch"),
		...list(options, "group-add", "GroupAdd"),
		...list(options, "volumes-from", "VolumesFrom"),
		...map(options, "annotation", "Annotations"),
		...map(options, "storage-opt", "StorageOpt"),
		...map(options, "sysctl", "Sysctls"),
		...flag(options, "privileged", "Privileged"),
		...flag(options, "publish-all", "PublishAllPorts"),
		...flag(options, "read-only", "ReadonlyRootfs"),
		...flag(options, "rm", "AutoRemove"),
		...(options.has("init") ? { Init: options.bool("init") } : {}),
		...(options.has("add-host") ? { ExtraHosts: options.list("add-host").map(checkAddHost) } : {}),
		...(anyGiven(options, ["dns-opt", "dns-option"])
			? { DnsOptions: [...options.list("dns-opt"), ...options.list("dns-option")] }
			: {}),
		...(options.has("restart") ? { RestartPolicy: parseRestartPolicy(options.text("restart")) } : {}),
		...(anyGiven(options, ["log-driver", "log-opt"])
			? { LogConfig: { Type: options.text("log-driver"), Config: asMap(options.list("log-opt")) } }
			: {}),
		...number(options, "oom-score-adj", "OomScoreAdj"),
		...parsed(options, "shm-size", "ShmSize", checkBytes),
	};
}

/** `CAP_NET_ADMIN` for `net_admin`; `ALL` stands for itself. */
function fullCapabilityName(name: string): string {
	const upper = name.toUpperCase();
	return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}

/** Limits that `update` can change too. */
export function updatableResources(options: ParsedOptions): Resources {
	return {
		...text(options, "cpuset-cpus", "CpusetCpus"),
		...text(options, "cpuset-mems", "CpusetMems"),
		...number(options, "blkio-weight", "BlkioWeight"),
		...number(options, "cpu-period", "CpuPeriod"),
		...number(options, "cpu-quota", "CpuQuota"),
		...number(options, "cpu-rt-period", "CpuRealtimePeriod"),
		...number(options, "cpu-rt-runtime", "CpuRealtimeRuntime"),
		...number(options, "cpu-shares", "CpuShares"),
		...number(options, "pids-limit", "PidsLimit"),
		...parsed(options, "cpus", "NanoCpus", checkCpus),
		...parsed(options, "kernel-memory", "KernelMemory", checkBytes),
		...parsed(options, "memory", "Memory", checkBytes),
		...parsed(options, "memory-reservation", "MemoryReservation", checkBytes),
		...parsed(options, "memory-swap", "MemorySwap", checkMemorySwap),
	};
}

function fixedResources(options: ParsedOptions): Resources {
	return {
		...text(options, "cgroup-parent", "CgroupParent"),
		...number(options, "cpu-count", "CpuCount"),
		...number(options, "cpu-percent", "CpuPercent"),
		...number(options, "io-maxiops", "IOMaximumIOps"),
		...number(options, "memory-swappiness", "MemorySwappiness"),
		...parsed(options, "io-maxbandwidth", "IOMaximumBandwidth", checkBytes),
		...flag(options, "oom-kill-disable", "OomKillDisable"),
		...(options.has("ulimit") ? { Ulimits: options.list("ulimit").map(checkUlimit) } : {}),
	};
}

function parsed<Key extends string>(
	options: ParsedOptions,
	name: string,
	key: Key,
	parse: (value: string) => number,
): { [K in Key]?: number } {
	return options.has(name) ? ({ [key]: parse(options.text(name)) } as { [K in Key]?: number }) : {};
}

function text<Key extends string>(options: ParsedOptions, name: string, key: Key): { [K in Key]?: string } {
	return options.text(name) === "" ? {} : ({ [key]: options.text(name) } as { [K in Key]?: string });
}

function list<Key extends string>(options: ParsedOptions, name: string, key: Key): { [K in Key]?: string[] } {
	return options.has(name) ? ({ [key]: options.list(name) } as { [K in Key]?: string[] }) : {};
}

function map<Key extends string>(
	options: ParsedOptions,
	name: string,
	key: Key,
): { [K in Key]?: Record<string, string> } {
	return options.has(name) ? ({ [key]: asMap(options.list(name)) } as { [K in Key]?: Record<string, string> }) : {};
}

function flag<Key extends string>(options: ParsedOptions, name: string, key: Key): { [K in Key]?: boolean } {
	return options.bool(name) ? ({ [key]: true } as { [K in Key]?: boolean }) : {};
}

function number<Key extends string>(options: ParsedOptions, name: string, key: Key): { [K in Key]?: number } {
	return options.has(name) ? ({ [key]: Number(options.text(name)) } as { [K in Key]?: number }) : {};
}

function asMap(texts: readonly string[]): Record<string, string> {
	return Object.fromEntries(
		texts.map((entry) => {
			const equals = entry.indexOf("=");
			return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
		}),
	);
}
