/** The OCI `config.json` of a container. Pure: everything that is looked up on the host comes in. */
import type { HostConfig, Ulimit } from "../../api/engine/container.ts";
import type {
	DeviceRule,
	LinuxSpec,
	NamespaceSpec,
	ProcessSpec,
	RuntimeSpec,
	SeccompSpec,
} from "../../api/oci/runtime-spec.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { grantCapabilities } from "./capabilities.ts";
import type { ContainerRecord } from "./container-record.ts";
import { deviceSpec, type HostDevice, mapDevices, parseDeviceRule } from "./device.ts";
import { baseEnvironment, overrideEnvironment } from "./environment.ts";
import type { HostFacts } from "./host-facts.ts";
import { buildRlimits } from "./rlimits.ts";
import { customSeccomp, defaultSeccomp, type SeccompContext } from "./seccomp.ts";
import type { SeccompCompiler } from "./seccomp-compiler.ts";
import { parseSecurityOptions, type SecurityOptions } from "./security-options.ts";
import { buildMounts, INIT_TARGET, type MountInput, rootPropagation } from "./spec-mounts.ts";
import { type BlockDevices, buildResources } from "./spec-resources.ts";
import { hasAccount, resolveUser, type UserFiles } from "./user.ts";

export interface RuntimeSpecInput {
	readonly record: Pick<ContainerRecord, "id" | "config" | "hostConfig" | "mounts">;
	/** Mounted root file system, absolute. */
	readonly rootfsPath: string;
	/** Path in the cgroup hierarchies (`/gantry/<id>`), or a systemd triple. */
	readonly cgroupsPath: string;
	readonly userFiles: UserFiles;
	/** Namespaces that exist already: the network sandbox, or those of another container. */
	readonly namespaces: { readonly network?: string; readonly pid?: string; readonly ipc?: string };
	readonly volumeSources: MountInput["sources"];
	readonly files: MountInput["files"];
	readonly shmPath?: string;
	/** Set when the container wants an init process. */
	readonly initPath?: string;
	/** Variables of legacy links; the container's own override them. */
	readonly linkEnvironment?: readonly string[];
	readonly host: HostFacts;
	readonly recursiveReadOnly: boolean;
	/** The devices at or below a host path. */
	readonly findDevices: (path: string) => readonly HostDevice[];
	/** Every device of the host, asked for when privileged. */
	readonly allDevices: () => readonly HostDevice[];
	readonly blockDevices: BlockDevices;
	readonly daemon: SpecDefaults;
	/** Set when the OCI runtime takes a finished seccomp filter (crun): it then need not make it at each start. */
	readonly seccompCompiler?: SeccompCompiler;
}

/** What the daemon's configuration adds. */
export interface SpecDefaults {
	readonly ulimits: readonly Ulimit[];
	readonly noNewPrivileges: boolean;
	/** JSON text; undefined: the built-in profile. */
	readonly seccompProfile?: string;
}

const OCI_VERSION = "1.0.2";

/** crun's annotation for a filter in base64, used in place of `linux.seccomp`. */
const SECCOMP_FILTER_ANNOTATION = "run.oci.seccomp_bpf_data";

/** @throws InvalidParameterError (user, tmpfs options, sysctls, devices, seccomp profile), SystemError */
export function buildRuntimeSpec(input: RuntimeSpecInput): RuntimeSpec {
	const { config, hostConfig, mounts } = input.record;
	const security = parseSecurityOptions(hostConfig.SecurityOpt, {
		noNewPrivileges: input.daemon.noNewPrivileges,
		appArmor: input.host.appArmor,
	});
	const process = buildProcess(input, security);
	const linux = buildLinux(input, security, new Set(process.capabilities.bounding));
	const annotations = { ...hostConfig.Annotations, ...seccompFilter(linux.seccomp, input.seccompCompiler) };
	return {
		ociVersion: OCI_VERSION,
		process,
		root: { path: input.rootfsPath, readonly: hostConfig.ReadonlyRootfs ?? false },
		...(hostConfig.UTSMode === "host" ? {} : { hostname: config.Hostname ?? "" }),
		mounts: buildMounts({
			hostConfig,
			mounts,
			sources: input.volumeSources,
			files: input.files,
			...(input.shmPath === undefined ? {} : { shmPath: input.shmPath }),
			...(input.initPath === undefined ? {} : { initPath: input.initPath }),
			writableCgroups: security.writableCgroups,
			recursiveReadOnly: input.recursiveReadOnly,
		}),
		...(Object.keys(annotations).length === 0 ? {} : { annotations }),
		linux,
	};
}

function seccompFilter(
	profile: SeccompSpec | undefined,
	compiler: SeccompCompiler | undefined,
): Readonly<Record<string, string>> {
	const filter = profile === undefined ? undefined : compiler?.compile(profile);
	return filter === undefined ? {} : { [SECCOMP_FILTER_ANNOTATION]: Buffer.from(filter).toString("base64") };
}

function buildProcess(input: RuntimeSpecInput, security: SecurityOptions): ProcessSpec {
	const { config, hostConfig } = input.record;
	const terminal = config.Tty ?? false;
	const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
	const user = resolveUser(config.User ?? "", input.userFiles, hostConfig.GroupAdd ?? []);
	const granted = grantCapabilities(
		{ add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged: hostConfig.Privileged ?? false },
		input.host.capabilities,
	);
	const [height, width] = hostConfig.ConsoleSize ?? [0, 0];
	const rlimits = buildRlimits(hostConfig.Ulimits ?? [], input.daemon.ulimits, input.host);
	return {
		terminal,
		...(terminal && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
		user,
		args: input.initPath === undefined ? command : [INIT_TARGET, "--", ...command],
		env: overrideEnvironment(
			[
				...baseEnvironment({
					hostname: config.Hostname ?? "",
					terminal,
					hasAccount: hasAccount(user.uid, input.userFiles),
				}),
				...(input.linkEnvironment ?? []),
			],
			config.Env ?? [],
		),
		cwd: config.WorkingDir || "/",
		capabilities: capabilitySets(granted, user.uid),
		...(rlimits.length === 0 ? {} : { rlimits }),
		noNewPrivileges: security.noNewPrivileges,
		oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
	};
}

/** Who is not root keeps them only as the bounding set, for set-user-ID programs: as the kernel's own rules on exec. */
export function capabilitySets(granted: readonly string[], uid: number): ProcessSpec["capabilities"] {
	const bounding = [...granted];
	const held = uid === 0 ? bounding : [];
	return { bounding, effective: [...held], permitted: [...held] };
}

function buildLinux(input: RuntimeSpecInput, security: SecurityOptions, capabilities: ReadonlySet<string>): LinuxSpec {
	const { config, hostConfig, mounts } = input.record;
	const privileged = hostConfig.Privileged ?? false;
	const { devices, rules } = planDevices(input);
	const propagation = rootPropagation(mounts);
	const seccomp = privileged ? undefined : planSeccomp(input, security, capabilities);
	const ownNetwork = input.namespaces.network === undefined ? hostConfig.NetworkMode !== "host" : !isShared(hostConfig);
	return {
		namespaces: planNamespaces(input),
		...(devices.length === 0 ? {} : { devices }),
		sysctl: planSysctls(hostConfig, { ownNetwork, domainname: config.Domainname ?? "" }),
		cgroupsPath: input.cgroupsPath,
		resources: { devices: rules, ...buildResources(hostConfig, input.blockDevices) },
		...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
		...(seccomp === undefined ? {} : { seccomp }),
		maskedPaths: privileged ? [] : [...(hostConfig.MaskedPaths ?? [])],
		readonlyPaths: privileged ? [] : [...(hostConfig.ReadonlyPaths ?? [])],
	};
}

function isShared(hostConfig: HostConfig): boolean {
	return hostConfig.NetworkMode?.startsWith("container:") === true;
}

function planNamespaces(input: RuntimeSpecInput): NamespaceSpec[] {
	const { hostConfig } = input.record;
	const { network, pid, ipc } = input.namespaces;
	const join = (type: NamespaceSpec["type"], path: string | undefined): NamespaceSpec =>
		path === undefined ? { type } : { type, path };
	return [
		{ type: "mount" },
		...(hostConfig.NetworkMode === "host" ? [] : [join("network", network)]),
		...(hostConfig.UTSMode === "host" ? [] : [join("uts", undefined)]),
		...(hostConfig.PidMode === "host" ? [] : [join("pid", pid)]),
		...(hostConfig.IpcMode === "host" ? [] : [join("ipc", ipc)]),
		...(hostConfig.CgroupnsMode === "host" ? [] : [join("cgroup", undefined)]),
	];
}

/** `/dev/null` and the like need no rule: an OCI runtime allows them itself. */
function planDevices(input: RuntimeSpecInput): { devices: LinuxSpec["devices"] & object; rules: DeviceRule[] } {
	const { hostConfig } = input.record;
	if (hostConfig.Privileged === true) {
		const devices = input.allDevices().map((device) => deviceSpec(device, device.path));
		const present = new Set(devices.map(({ path }) => path));
		const mapped = mapDevices(hostConfig.Devices ?? [], input.findDevices).devices;
		return {
			devices: [...devices, ...mapped.filter(({ path }) => !present.has(path))],
			rules: [{ allow: true, access: "rwm" }],
		};
	}
	const { devices, rules } = mapDevices(hostConfig.Devices ?? [], input.findDevices);
	const own = (hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule);
	return { devices, rules: [{ allow: false, access: "rwm" }, ...rules, ...own] };
}

const IPC_SYSCTL = /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\..+)$/;

/**
 * Sysctls of the container's own namespaces. Ping and low ports work without privileges by default.
 * @throws InvalidParameterError for one that would change the host
 */
function planSysctls(
	hostConfig: HostConfig,
	context: { readonly ownNetwork: boolean; readonly domainname: string },
): Record<string, string> {
	const ownUts = hostConfig.UTSMode !== "host";
	const requested = hostConfig.Sysctls ?? {};
	for (const name of Object.keys(requested)) {
		const dotted = name.replaceAll("/", ".");
		const isNetwork = dotted.startsWith("net.");
		if (isNetwork && hostConfig.NetworkMode === "host")
			throw new InvalidParameterError(`sysctl "${name}" not allowed in host network namespace`);
		if (IPC_SYSCTL.test(dotted) && hostConfig.IpcMode === "host")
			throw new InvalidParameterError(`sysctl "${name}" is not allowed in the hosts ipc namespace`);
		const isDomain = dotted === "kernel.domainname" && ownUts;
		if (!isNetwork && !IPC_SYSCTL.test(dotted) && !isDomain)
			throw new InvalidParameterError(`sysctl "${name}" is not in a separate kernel namespace`);
	}
	return {
		...(context.domainname !== "" && ownUts ? { "kernel.domainname": context.domainname } : {}),
		...(context.ownNetwork
			? { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" }
			: {}),
		...requested,
	};
}

function planSeccomp(
	input: RuntimeSpecInput,
	security: SecurityOptions,
	capabilities: ReadonlySet<string>,
): SeccompSpec | undefined {
	const context = seccompContext(input.host, capabilities);
	switch (security.seccomp.kind) {
		case "unconfined":
			return undefined;
		case "builtin":
			return defaultSeccomp(context);
		case "profile":
			return customSeccomp(security.seccomp.json, context);
		case "default":
			return daemonSeccomp(input.daemon, context);
	}
}

/**
 * The profile of a container that asks for nothing special.
 * @throws InvalidParameterError when the daemon's profile is none
 */
export function plainSeccomp(daemon: SpecDefaults, host: HostFacts): SeccompSpec | undefined {
	const capabilities = grantCapabilities({ add: [], drop: [], privileged: false }, host.capabilities);
	return daemonSeccomp(daemon, seccompContext(host, new Set(capabilities)));
}

function daemonSeccomp({ seccompProfile: profile }: SpecDefaults, context: SeccompContext): SeccompSpec | undefined {
	if (profile === "unconfined") return undefined;
	return profile === undefined || profile === "builtin" ? defaultSeccomp(context) : customSeccomp(profile, context);
}

function seccompContext({ architecture, kernelRelease }: HostFacts, capabilities: ReadonlySet<string>): SeccompContext {
	return { architecture, kernelRelease, capabilities };
}
