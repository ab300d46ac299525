import { posix } from "node:path";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { containerOfMode } from "../../core/container/namespace-mode.ts";
import type { ResourceMonitor } from "../../core/container/resource-monitor.ts";
import { buildRuntimeSpec, plainSeccomp, type SpecDefaults } from "../../core/container/runtime-spec.ts";
import type { SeccompCompiler } from "../../core/container/seccomp-compiler.ts";
import { type BlockDevices, throttledDevices } from "../../core/container/spec-resources.ts";
import { isRunning } from "../../core/container/state.ts";
import type { NetworkFilesWriter } from "../network/network-files.ts";
import type { NetworkPlan } from "../network/network-plan.ts";
import type { PreparedRoot } from "./filesystem.ts";
import type { ContainerRegistry } from "./registry.ts";

const DEFAULT_CGROUP_PARENT = "/gantry";

/** What the daemon's configuration and machine say of every specification. */
export interface SpecificationSettings {
	readonly host: HostFacts;
	readonly daemon: SpecDefaults;
	/** `cgroup-parent`; a container's own has precedence. */
	readonly cgroupParent: string;
	/** Program for `--init`; undefined where there is none. */
	readonly initPath: string | undefined;
	/** `init`: containers that do not say get an init process. */
	readonly initByDefault: boolean;
	readonly recursiveReadOnly: boolean;
}

export interface SpecificationDependencies {
	readonly registry: ContainerRegistry;
	readonly files: ContainerHostFiles;
	readonly networkFiles: NetworkFilesWriter;
	readonly monitor: ResourceMonitor;
	/** Without one the OCI runtime compiles the seccomp profile itself, at every start. */
	readonly seccomp?: SeccompCompiler;
}

export interface PreparedContainer {
	readonly root: PreparedRoot;
	readonly namespacePath: string | undefined;
	readonly plan: NetworkPlan;
	/** `/etc/hostname` is the image's: what a step of a build writes there stays. */
	readonly ownHostname?: boolean;
}

/** Writes a container's bundle: looks up what the pure builder needs, and stores what it builds. */
export class SpecificationWriter {
	readonly #deps: SpecificationDependencies;
	readonly #settings: SpecificationSettings;

	constructor(deps: SpecificationDependencies, settings: SpecificationSettings) {
		this.#deps = deps;
		this.#settings = settings;
	}

	/** Has the seccomp filter of plain containers made, so that the first of them need not wait for it. */
	warmUp(): void {
		const { daemon, host } = this.#settings;
		const profile = this.#deps.seccomp === undefined ? undefined : plainSeccomp(daemon, host);
		if (profile !== undefined) this.#deps.seccomp?.compile(profile);
	}

	/** @throws InvalidParameterError, SystemError */
	write(record: ContainerRecord, prepared: PreparedContainer): void {
		const { files } = this.#deps;
		const { root, namespacePath, plan } = prepared;
		const environment = this.#deps.networkFiles.write(record, plan);
		const initPath = this.#initPath(record);
		const shmPath = this.#sharedMemory(record);
		const pid = this.#namespaceOf(record.hostConfig.PidMode, "pid");
		const ipc = this.#namespaceOf(record.hostConfig.IpcMode, "ipc");
		const spec = buildRuntimeSpec({
			record: { ...record, mounts: root.mounts.map(({ mount }) => mount) },
			rootfsPath: root.path,
			cgroupsPath: this.cgroupsPath(record),
			userFiles: files.readAccounts(root.path),
			namespaces: {
				...(namespacePath === undefined ? {} : { network: namespacePath }),
				...(pid === undefined ? {} : { pid }),
				...(ipc === undefined ? {} : { ipc }),
			},
			volumeSources: new Map(
				root.mounts.filter(({ source }) => source !== "").map(({ mount, source }) => [mount.target, source]),
			),
			files: prepared.ownHostname === true ? withoutHostname(this.#filesOf(record)) : this.#filesOf(record),
			...(shmPath === undefined ? {} : { shmPath }),
			...(initPath === undefined ? {} : { initPath }),
			linkEnvironment: environment,
			host: this.#settings.host,
			recursiveReadOnly: this.#settings.recursiveReadOnly,
			findDevices: (path) => files.devices(path),
			allDevices: () => files.allDevices(),
			blockDevices: blockDevices(record, files),
			daemon: this.#settings.daemon,
			...(this.#deps.seccomp === undefined ? {} : { seccompCompiler: this.#deps.seccomp }),
		});
		files.writeBundle(record.id, spec);
	}

	cgroupsPath(record: ContainerRecord): string {
		const parent = record.hostConfig.CgroupParent || this.#settings.cgroupParent || DEFAULT_CGROUP_PARENT;
		return posix.join("/", parent, record.id);
	}

	memoryCgroup(record: ContainerRecord): string | undefined {
		return this.#deps.monitor.memoryCgroup(this.cgroupsPath(record));
	}

	#initPath(record: ContainerRecord): string | undefined {
		if (!(record.hostConfig.Init ?? this.#settings.initByDefault)) return undefined;
		if (this.#settings.initPath === undefined)
			throw new InvalidParameterError("no init program was found: set init-path in the daemon's configuration");
		return this.#settings.initPath;
	}

	/** A container in another's network uses its files, too. */
	#filesOf(record: ContainerRecord): { hosts: string; hostname: string; resolvConf: string } {
		const other = containerOfMode(record.hostConfig.NetworkMode);
		const own = this.#deps.files.paths(record.id);
		const { hosts, hostname, resolvConf } =
			other === undefined ? own : this.#deps.files.paths(this.#deps.registry.resolve(other).id);
		return { hosts, hostname, resolvConf };
	}

	#sharedMemory(record: ContainerRecord): string | undefined {
		const { files, registry } = this.#deps;
		const mode = record.hostConfig.IpcMode ?? "";
		if (mode === "shareable") return files.mountSharedMemory(record.id, record.hostConfig.ShmSize ?? 0);
		const other = containerOfMode(mode);
		if (other === undefined) return mode === "host" ? "/dev/shm" : undefined;
		const target = registry.resolve(other);
		if (target.hostConfig.IpcMode !== "shareable")
			throw new InvalidParameterError(
				`can't join IPC of container ${other}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
			);
		return files.paths(target.id).sharedMemory;
	}

	#namespaceOf(mode: string | undefined, kind: "pid" | "ipc"): string | undefined {
		const other = containerOfMode(mode);
		if (other === undefined) return undefined;
		const { id, lifecycle } = this.#deps.registry.resolve(other);
		if (!isRunning(lifecycle))
			throw new InvalidParameterError(
				`cannot join ${kind === "pid" ? "PID" : "IPC"} namespace of a non running container: ${id}`,
			);
		return `/proc/${lifecycle.pid}/ns/${kind}`;
	}
}

export function blockDevices(record: Pick<ContainerRecord, "hostConfig">, files: ContainerHostFiles): BlockDevices {
	return new Map(
		throttledDevices(record.hostConfig).flatMap((path) =>
			files
				.devices(path)
				.filter((device) => device.type === "b")
				.map(({ major, minor }) => [path, { major, minor }] as const),
		),
	);
}

function withoutHostname({ hosts, resolvConf }: { readonly hosts: string; readonly resolvConf: string }) {
	return { hosts, resolvConf };
}
