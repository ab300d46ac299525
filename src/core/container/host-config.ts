/** The host's half of a create request: defaults filled in, checked in Docker's order and words. */
import type { ContainerConfig, HostConfig, RestartPolicy, Ulimit } from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import { InvalidParameterError, NotImplementedError, SystemError } from "../../base/errors.ts";
import { normaliseCapabilities } from "./capabilities.ts";
import type { HostFacts } from "./host-facts.ts";
import { normaliseLogConfig } from "./log-config.ts";
import * as modes from "./namespace-mode.ts";
import { normalisePortBindings } from "./ports.ts";
import { RLIMIT_NAMES } from "./rlimits.ts";
import { parseSecurityOptions } from "./security-options.ts";

/** What the daemon's configuration says of containers that don't say it themselves. */
export interface DaemonDefaults {
	readonly runtimes: readonly string[];
	readonly defaultRuntime: string;
	readonly logDriver: string;
	readonly logOptions: Readonly<Record<string, string>>;
	readonly shmSizeBytes: number;
	readonly cgroupnsMode: "private" | "host";
	readonly ipcMode: "private" | "shareable";
	readonly noNewPrivileges: boolean;
	readonly dataRoot: string;
}

export const DEFAULT_MASKED_PATHS: readonly string[] = [
	"/proc/asound",
	"/proc/acpi",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
];

export const DEFAULT_READONLY_PATHS: readonly string[] = [
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/sys",
	"/proc/sysrq-trigger",
];

/**
 * Every default filled in; `null` and `[]` stay as they came, inspect shows the difference. Limits are checked by
 * `checkResources` before.
 * @throws InvalidParameterError, NotImplementedError, SystemError (where Docker answers 500)
 */
export function normaliseHostConfig(
	config: ContainerConfig,
	requested: HostConfig,
	context: { readonly defaults: DaemonDefaults; readonly host: HostFacts; readonly version: ApiVersion },
): HostConfig {
	const { defaults, host, version } = context;
	checkModes(requested);
	checkNetworkConflicts(config, requested);
	checkPlainFields(requested);
	const privileged = requested.Privileged ?? false;
	parseSecurityOptions(requested.SecurityOpt, { noNewPrivileges: defaults.noNewPrivileges, appArmor: host.appArmor });
	const memory = requested.Memory ?? 0;
	const swap = requested.MemorySwap ?? 0;
	const systemPaths = hidesSystemPaths(requested, host, defaults);
	return {
		...requested,
		LogConfig: normaliseLogConfig(requested.LogConfig, { driver: defaults.logDriver, options: defaults.logOptions }),
		NetworkMode: networkMode(requested.NetworkMode),
		PortBindings: normalisePortBindings(requested.PortBindings),
		RestartPolicy: normaliseRestartPolicy(requested.RestartPolicy, requested.AutoRemove ?? false),
		CapAdd: normaliseCapabilities("CapAdd", requested.CapAdd ?? null),
		CapDrop: normaliseCapabilities("CapDrop", requested.CapDrop ?? null),
		ConsoleSize: atLeast(version, 42) ? (requested.ConsoleSize ?? [0, 0]) : [0, 0],
		CgroupnsMode: requested.CgroupnsMode || (atLeast(version, 41) ? defaults.cgroupnsMode : "host"),
		IpcMode: requested.IpcMode || (atLeast(version, 40) ? defaults.ipcMode : "shareable"),
		SecurityOpt: requested.SecurityOpt ?? defaultSecurityOptions(requested),
		ShmSize: requested.ShmSize || defaults.shmSizeBytes,
		Runtime: runtimeName(requested.Runtime, defaults),
		MemorySwap: memory > 0 && swap === 0 ? memory * 2 : swap,
		OomKillDisable: requested.OomKillDisable ?? false,
		PidsLimit: (requested.PidsLimit ?? 0) > 0 ? (requested.PidsLimit ?? null) : null,
		Annotations: atLeast(version, 43) ? (requested.Annotations ?? null) : null,
		MaskedPaths: requested.MaskedPaths ?? (privileged || !systemPaths ? null : [...DEFAULT_MASKED_PATHS]),
		ReadonlyPaths: requested.ReadonlyPaths ?? (privileged || !systemPaths ? null : [...DEFAULT_READONLY_PATHS]),
	};
}

function fail(message: string): never {
	throw new InvalidParameterError(message);
}

function hidesSystemPaths(requested: HostConfig, host: HostFacts, defaults: DaemonDefaults): boolean {
	const { noNewPrivileges } = defaults;
	return !parseSecurityOptions(requested.SecurityOpt, { noNewPrivileges, appArmor: host.appArmor })
		.systemPathsUnconfined;
}

function networkMode(mode: string | undefined): string {
	return mode === undefined || mode === "" || mode === "default" ? "bridge" : mode;
}

function checkModes(requested: HostConfig): void {
	modes.checkIpcMode(requested.IpcMode ?? "");
	modes.checkPidMode(requested.PidMode ?? "");
	modes.checkUtsMode(requested.UTSMode ?? "");
	modes.checkUsernsMode(requested.UsernsMode ?? "");
	modes.checkCgroupnsMode(requested.CgroupnsMode ?? "");
	modes.checkNetworkMode(requested.NetworkMode ?? "");
	const isolation = requested.Isolation ?? "";
	if (isolation !== "" && isolation !== "default")
		fail(`invalid isolation (${isolation}): linux only supports 'default'`);
}

/** Who shares a network namespace cannot have settings of it of its own. */
function checkNetworkConflicts(config: ContainerConfig, requested: HostConfig): void {
	const mode = requested.NetworkMode ?? "";
	const shared = modes.containerOfMode(mode) !== undefined;
	const hostname = config.Hostname ?? "";
	const conflict = (what: string) => fail(`conflicting options: ${what}`);
	if ((requested.Links?.length ?? 0) > 0 && (shared || mode === "host"))
		conflict(
			`${shared ? "container type network" : "host type networking"} can't be used with links. ` +
				"This would result in undefined behavior",
		);
	if (requested.UTSMode === "host" && hostname !== "") conflict("hostname and the UTS mode");
	if (!shared) return;
	if (hostname !== "") conflict("hostname and the network mode");
	if ((requested.Dns?.length ?? 0) > 0) conflict("dns and the network mode");
	if ((requested.ExtraHosts?.length ?? 0) > 0) conflict("custom host-to-IP mapping and the network mode");
	if (Object.keys(requested.PortBindings ?? {}).length > 0 || requested.PublishAllPorts === true)
		conflict("port publishing and the container type network mode");
	if (Object.keys(config.ExposedPorts ?? {}).length > 0) conflict("port exposing and the container type network mode");
}

function checkPlainFields(requested: HostConfig): void {
	for (const entry of requested.ExtraHosts ?? []) checkExtraHost(entry);
	const adjustment = requested.OomScoreAdj ?? 0;
	if (adjustment < -1000 || adjustment > 1000)
		fail(`Invalid value ${adjustment}, range for oom score adj is [-1000, 1000]`);
	if ((requested.ShmSize ?? 0) < 0) fail("SHM size can not be less than 0");
	if (Object.keys(requested.Annotations ?? {}).includes(""))
		fail("invalid Annotations: the empty string is not permitted as an annotation key");
	for (const link of requested.Links ?? [])
		if (!/^[^:]+(:[^:]+)?$/.test(link)) throw new SystemError(`bad format for links: ${link}`);
	for (const rule of requested.DeviceCgroupRules ?? [])
		if (!/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(rule)) fail(`invalid device cgroup rule format: '${rule}'`);
	for (const { CgroupPermissions, PathOnHost } of requested.Devices ?? []) {
		if (!/^[rwm]{0,3}$/.test(CgroupPermissions ?? "")) fail(`invalid device mode: ${CgroupPermissions}`);
		if (!PathOnHost?.startsWith("/")) fail(`invalid device path: '${PathOnHost ?? ""}'`);
	}
	for (const limit of requested.Ulimits ?? []) checkUlimit(limit);
	if (Object.keys(requested.StorageOpt ?? {}).length > 0)
		throw new NotImplementedError("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
}

function checkExtraHost(entry: string): void {
	const match = /^([^:=\s]+)[:=](.+)$/.exec(entry);
	if (match === null) fail(`bad format for add-host: ${JSON.stringify(entry)}`);
	const address = (match[2] ?? "").replace(/^\[(.*)\]$/, "$1");
	if (address !== "host-gateway" && !isAddress(address))
		fail(`invalid IP address in add-host: ${JSON.stringify(address)}`);
}

/** Syntax of an IPv4 or IPv6 address, without zone. */
export function isAddress(text: string): boolean {
	if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split(".").every((part) => Number(part) <= 255);
	return text.includes(":") && URL.canParse(`http://[${text}]/`);
}

function checkUlimit(limit: Ulimit): void {
	if (!RLIMIT_NAMES.has(limit.Name)) fail(`invalid ulimit type: ${limit.Name}`);
	if (limit.Hard !== -1 && (limit.Soft > limit.Hard || limit.Soft === -1))
		fail(`ulimit soft limit must be less than or equal to hard limit: ${limit.Soft} > ${limit.Hard}`);
}

/** @throws InvalidParameterError */
export function normaliseRestartPolicy(
	requested: RestartPolicy | undefined,
	autoRemove: boolean,
): Required<RestartPolicy> {
	const Name = requested?.Name || "no";
	const MaximumRetryCount = requested?.MaximumRetryCount ?? 0;
	if (!["no", "always", "on-failure", "unless-stopped"].includes(Name))
		fail(
			`invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
		);
	if (MaximumRetryCount !== 0 && Name !== "on-failure")
		fail(
			"invalid restart policy: maximum retry count can only be used with 'on-failure'" +
				(MaximumRetryCount < 0 ? " and cannot be negative" : ""),
		);
	if (MaximumRetryCount < 0) fail("invalid restart policy: maximum retry count cannot be negative");
	if (autoRemove && Name !== "no") fail("can't create 'AutoRemove' container with restart policy");
	return { Name, MaximumRetryCount };
}

/** Docker notes here that labels are off for what sees the host; clients show it. */
function defaultSecurityOptions(requested: HostConfig): string[] | null {
	const seesHost = requested.Privileged === true || requested.IpcMode === "host" || requested.PidMode === "host";
	return seesHost ? ["label=disable"] : null;
}

function runtimeName(requested: string | undefined, defaults: DaemonDefaults): string {
	const name = requested || defaults.defaultRuntime;
	if (!defaults.runtimes.includes(name)) fail(`unknown or invalid runtime name: ${name}`);
	return name;
}
