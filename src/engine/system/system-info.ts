/** `GET /info` and `GET /version`: how the engine and its machine describe themselves. Pure. */
import type { InfoResponse, VersionResponse } from "../../api/engine/system.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import type { RuntimeBinary } from "../../core/container/runtime.ts";
import type { SubnetPool } from "../../core/network/subnet-choice.ts";
import type { MachineFacts } from "../../core/system/machine-facts.ts";

/** This build of the engine. */
export interface EngineBuild {
	readonly version: string;
	readonly gitCommit: string;
	/** RFC 3339, or empty. */
	readonly buildTime: string;
	/** What the program runs on, e.g. `bun1.4.5`; stands where Docker names its Go version. */
	readonly platformVersion: string;
	readonly apiVersion: string;
	readonly minApiVersion: string;
}

/** What the daemon's configuration says of itself. */
export interface EngineSettings {
	/** Host name of the machine. */
	readonly name: string;
	readonly dataRoot: string;
	readonly labels: readonly string[];
	readonly debug: boolean;
	readonly experimental: boolean;
	readonly logDriver: string;
	readonly seccompProfile: string;
	readonly noNewPrivileges: boolean;
	readonly initBinary: string;
	readonly runtimes: readonly RuntimeBinary[];
	readonly defaultRuntime: string;
	readonly addressPools: readonly SubnetPool[];
	readonly registryMirrors: readonly string[];
	readonly insecureRegistries: readonly string[];
	readonly environment: { readonly httpProxy: string; readonly httpsProxy: string; readonly noProxy: string };
	/** Listening on TCP without client certificates: said out loud. */
	readonly insecureListeners: readonly string[];
}

export interface InfoInput {
	readonly id: string;
	readonly build: EngineBuild;
	readonly settings: EngineSettings;
	readonly host: HostFacts;
	readonly machine: MachineFacts;
	readonly storage: { readonly name: string; readonly status: readonly (readonly [string, string])[] };
	readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
	readonly images: number;
	readonly eventListeners: number;
	readonly openFiles: number;
	/** `local`, and the plugins in use. */
	readonly volumeDrivers: readonly string[];
	/** Whether published ports are subject to the host's own input chains. */
	readonly asksHostFirewall: boolean;
	/** Milliseconds since the epoch. */
	readonly now: number;
}

const LOG_DRIVERS = ["json-file", "local", "none"];

export function infoView(input: InfoInput): InfoResponse {
	const { settings, host, machine, build, containers } = input;
	const { cgroups } = host;
	return {
		ID: input.id,
		Containers: containers.running + containers.paused + containers.stopped,
		ContainersRunning: containers.running,
		ContainersPaused: containers.paused,
		ContainersStopped: containers.stopped,
		Images: input.images,
		Driver: input.storage.name,
		DriverStatus: input.storage.status.map(([key, value]) => [key, value]),
		Plugins: {
			Volume: [...input.volumeDrivers],
			Network: ["bridge", "host", "null"],
			Authorization: null,
			Log: LOG_DRIVERS,
		},
		MemoryLimit: cgroups.memoryLimit,
		SwapLimit: cgroups.swapLimit,
		CpuCfsPeriod: cgroups.cpuQuota,
		CpuCfsQuota: cgroups.cpuQuota,
		CPUShares: cgroups.cpuShares,
		CPUSet: cgroups.cpuset,
		PidsLimit: cgroups.pidsLimit,
		IPv4Forwarding: machine.ipv4Forwarding,
		Debug: settings.debug,
		NFd: input.openFiles,
		OomKillDisable: cgroups.oomKillDisable,
		NGoroutines: 0,
		SystemTime: new Date(input.now).toISOString().replace("Z", "000000Z"),
		LoggingDriver: settings.logDriver,
		CgroupDriver: "cgroupfs",
		CgroupVersion: String(host.cgroupVersion),
		NEventsListener: input.eventListeners,
		KernelVersion: machine.kernelVersion,
		OperatingSystem: machine.operatingSystem,
		OSVersion: machine.osVersion,
		OSType: "linux",
		Architecture: machine.machine,
		IndexServerAddress: "https://index.docker.io/v1/",
		RegistryConfig: registryConfig(settings),
		NCPU: machine.cpuCount,
		MemTotal: machine.memoryBytes,
		GenericResources: null,
		DockerRootDir: settings.dataRoot,
		HttpProxy: withoutPassword(settings.environment.httpProxy),
		HttpsProxy: withoutPassword(settings.environment.httpsProxy),
		NoProxy: settings.environment.noProxy,
		Name: settings.name,
		Labels: [...settings.labels],
		ExperimentalBuild: settings.experimental,
		ServerVersion: build.version,
		Runtimes: Object.fromEntries(
			settings.runtimes.map(({ name, path, args }) => [
				name,
				{ path, ...(args.length === 0 ? {} : { runtimeArgs: [...args] }) },
			]),
		),
		DefaultRuntime: settings.defaultRuntime,
		Swarm: {
			NodeID: "",
			NodeAddr: "",
			LocalNodeState: "inactive",
			ControlAvailable: false,
			Error: "",
			RemoteManagers: null,
		},
		LiveRestoreEnabled: true,
		Isolation: "",
		InitBinary: settings.initBinary,
		ContainerdCommit: { ID: "" },
		RuncCommit: { ID: "" },
		InitCommit: { ID: "" },
		SecurityOptions: securityOptions(input),
		FirewallBackend: {
			Driver: "nftables",
			Info: [
				[
					"Published ports",
					input.asksHostFirewall ? "subject to the host's input rules" : "open past the host's input rules",
				],
			],
		},
		CDISpecDirs: [],
		DefaultAddressPools: settings.addressPools.map(({ base, prefixLength }) => ({ Base: base, Size: prefixLength })),
		ProductLicense: "",
		Warnings: warnings(input),
	};
}

function securityOptions({ settings, host }: InfoInput): string[] {
	const options: string[] = [];
	if (host.appArmor) options.push("name=apparmor");
	options.push(`name=seccomp,profile=${settings.seccompProfile}`);
	if (settings.noNewPrivileges) options.push("name=no-new-privileges");
	if (host.cgroupVersion === 2) options.push("name=cgroupns");
	return options;
}

function registryConfig({ registryMirrors, insecureRegistries }: EngineSettings) {
	const insecure = insecureRegistries.filter((name) => !name.includes("/"));
	const index = (name: string, official: boolean, secure: boolean) => ({
		Mirrors: official ? [...registryMirrors] : [],
		Name: name,
		Official: official,
		Secure: secure,
	});
	return {
		IndexConfigs: Object.fromEntries([
			["docker.io", index("docker.io", true, true)],
			...insecure.map((name) => [name, index(name, false, false)] as const),
		]),
		InsecureRegistryCIDRs: [
			"127.0.0.0/8",
			"::1/128",
			...insecureRegistries.filter((name) => /^[0-9a-f.:]+\/\d+$/i.test(name)),
		],
		Mirrors: registryMirrors.length === 0 ? null : [...registryMirrors],
	};
}

/** Limits that this machine cannot enforce, in Docker's words. */
function warnings({ host, machine, settings }: InfoInput): string[] | null {
	const { cgroups } = host;
	const missing: readonly (readonly [boolean, string])[] = [
		[cgroups.memoryLimit, "No memory limit support"],
		[cgroups.swapLimit, "No swap limit support"],
		[cgroups.oomKillDisable || host.cgroupVersion === 2, "No oom kill disable support"],
		[cgroups.cpuQuota, "No cpu cfs quota support"],
		[cgroups.cpuQuota, "No cpu cfs period support"],
		[cgroups.cpuShares, "No cpu shares support"],
		[cgroups.cpuset, "No cpuset support"],
		[cgroups.pidsLimit, "No pids limit support"],
		[cgroups.blkioThrottle, "No blkio throttle support"],
	];
	const list = [
		...settings.insecureListeners.map(
			(address) =>
				`API is accessible on ${address} without encryption.\n         Access to the remote API is equivalent to root access on the host.`,
		),
		...missing.flatMap(([there, text]) => (there ? [] : [`WARNING: ${text}`])),
		...(machine.ipv4Forwarding ? [] : ["WARNING: IPv4 forwarding is disabled"]),
	];
	return list.length === 0 ? null : list;
}

/** A proxy's credentials are nobody's business. */
function withoutPassword(proxy: string): string {
	return proxy.replace(/^(\w+:\/\/)[^@/]*@/, "$1xxxxx:xxxxx@");
}

export function versionView(build: EngineBuild, host: HostFacts, machine: MachineFacts): VersionResponse {
	return {
		Platform: { Name: "Gantry" },
		Components: [
			{
				Name: "Engine",
				Version: build.version,
				Details: {
					ApiVersion: build.apiVersion,
					Arch: host.architecture,
					BuildTime: build.buildTime,
					Experimental: "false",
					GitCommit: build.gitCommit,
					GoVersion: build.platformVersion,
					KernelVersion: machine.kernelVersion,
					MinAPIVersion: build.minApiVersion,
					Os: "linux",
				},
			},
		],
		Version: build.version,
		ApiVersion: build.apiVersion,
		MinAPIVersion: build.minApiVersion,
		GitCommit: build.gitCommit,
		GoVersion: build.platformVersion,
		Os: "linux",
		Arch: host.architecture,
		KernelVersion: machine.kernelVersion,
		BuildTime: build.buildTime,
	};
}
