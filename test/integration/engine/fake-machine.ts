/** The machine below the engine, in memory: what a daemon's death leaves as it is. */
import { Duplex } from "node:stream";
import { ConflictError, NotFoundError } from "../../../src/base/errors.ts";
import type { ContainerHostFiles, ContainerPaths } from "../../../src/core/container/host-files.ts";
import type { ResourceMonitor } from "../../../src/core/container/resource-monitor.ts";
import type {
	AdoptedTask,
	ContainerRuntime,
	ContainerTaskRequest,
	ExecTaskRequest,
	Task,
	TaskExit,
} from "../../../src/core/container/runtime.ts";
import { TaskStartError } from "../../../src/core/container/task-start-error.ts";
import type { NetworkDriver, PortMapping, PortRequest } from "../../../src/core/network/driver.ts";
import type { LocalVolumeDriver, VolumeCleanUp } from "../../../src/core/volume/volume-driver.ts";
import type { VolumePlugins } from "../../../src/core/volume/volume-plugin.ts";
import type { VolumeRecord } from "../../../src/core/volume/volume-record.ts";

interface Monitor {
	readonly id: string;
	readonly isExec: boolean;
	state: "launched" | "running" | "exited";
	pid: number;
	exit: TaskExit | undefined;
	args: readonly string[];
	readonly ended: PromiseWithResolvers<TaskExit>;
	readonly relays: readonly PortMapping[];
}

/** Programs: `sleep` runs until it is killed, `stubborn` ignores all but SIGKILL, `exit <n>`, `nosuch`. */
export class FakeMachine {
	readonly monitors = new Map<string, Monitor>();
	/** Containers of which the OCI runtime keeps state. */
	readonly runtimeState = new Set<string>();
	readonly bundles = new Map<string, { args: readonly string[] }>();
	readonly containerDirectories = new Set<string>();
	readonly sandboxes = new Set<string>();
	readonly endpoints = new Set<string>();
	readonly boundPorts = new Set<string>();
	readonly snapshots = new Set<string>();
	readonly mounts = new Set<string>();
	readonly volumes = new Set<string>();
	readonly signals: [string, number][] = [];
	#nextPid = 1000;

	start(monitor: Monitor): number {
		const [program = "", argument = "0"] = monitor.args;
		if (program === "nosuch") {
			this.forget(monitor);
			throw new TaskStartError("not-found", `exec: "nosuch": executable file not found in $PATH`);
		}
		monitor.state = "running";
		monitor.pid = this.#nextPid++;
		if (!monitor.isExec) this.runtimeState.add(monitor.id);
		if (program === "exit") this.end(monitor.id, { exitCode: Number(argument), oomKilled: false, finishedAt: 0 });
		return monitor.pid;
	}

	/** The process ends, whether a daemon watches or not. */
	end(id: string, exit: TaskExit): void {
		const monitor = this.monitors.get(id);
		if (monitor === undefined || monitor.state === "exited") return;
		monitor.state = "exited";
		monitor.exit = { ...exit, finishedAt: exit.finishedAt || Date.now() };
		monitor.ended.resolve(monitor.exit);
	}

	signal(id: string, signal: number): void {
		const monitor = this.monitors.get(id);
		if (monitor?.state !== "running") throw new ConflictError(`process ${id} has ended`);
		this.signals.push([id, signal]);
		if (signal === 9 || (signal === 15 && monitor.args[0] !== "stubborn"))
			this.end(id, { exitCode: 128 + signal, signal, oomKilled: false, finishedAt: 0 });
	}

	forget(monitor: Monitor): void {
		if (this.monitors.get(monitor.id) !== monitor) return;
		this.monitors.delete(monitor.id);
		for (const relay of monitor.relays) this.boundPorts.delete(portKey(relay));
	}

	/** Everything that is held, as sorted text. */
	held(): string[] {
		const list = (kind: string, values: Iterable<string>) => [...values].map((value) => `${kind} ${value}`);
		return [
			...list("monitor", this.monitors.keys()),
			...list("runtime state", this.runtimeState),
			...list("bundle", this.bundles.keys()),
			...list("directory", this.containerDirectories),
			...list("sandbox", this.sandboxes),
			...list("endpoint", this.endpoints),
			...list("port", this.boundPorts),
			...list("snapshot", this.snapshots),
			...list("mount", this.mounts),
		].sort();
	}
}

class FakeTask implements Task {
	readonly #machine: FakeMachine;
	readonly #monitor: Monitor;

	constructor(machine: FakeMachine, monitor: Monitor) {
		this.#machine = machine;
		this.#monitor = monitor;
	}

	get id(): string {
		return this.#monitor.id;
	}

	get pid(): number {
		return this.#monitor.pid;
	}

	get exited(): Promise<TaskExit> {
		return this.#monitor.ended.promise;
	}

	async start(): Promise<number> {
		return this.#machine.start(this.#monitor);
	}

	async attach(): Promise<Duplex> {
		const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
		void this.exited.then(() => stream.push(null));
		return stream;
	}

	async openRoot(): Promise<undefined> {}

	async resize(): Promise<void> {}

	async publish(): Promise<void> {}

	async unpublish(): Promise<void> {}

	async kill(signal: number): Promise<void> {
		this.#machine.signal(this.id, signal);
	}

	onOutOfMemory(): void {}

	async forget(): Promise<void> {
		this.#machine.forget(this.#monitor);
	}
}

export class FakeRuntime implements ContainerRuntime {
	constructor(
		private readonly machine: FakeMachine,
		/** Wraps the handles, too. */
		private readonly guard: <T extends object>(target: T, name: string) => T,
	) {}

	expectStart(): void {}

	async launch(request: ContainerTaskRequest): Promise<Task> {
		return this.#launch(request.id, false, request.relays as unknown as PortMapping[], () => {
			const bundle = this.machine.bundles.get(request.id);
			return bundle?.args ?? [];
		});
	}

	async launchExec(request: ExecTaskRequest): Promise<Task> {
		return this.#launch(request.id, true, [], () => (request.process as { args: string[] }).args);
	}

	async adopt(id: string): Promise<AdoptedTask> {
		const monitor = this.machine.monitors.get(id);
		if (monitor === undefined) return { kind: "lost" };
		if (monitor.state === "launched") {
			// A monitor whose daemon dies before it says start ends by itself.
			await new FakeTask(this.machine, monitor).forget();
			return { kind: "lost" };
		}
		const task = this.guard(new FakeTask(this.machine, monitor), "task");
		return monitor.exit === undefined ? { kind: "running", task } : { kind: "exited", exit: monitor.exit, task };
	}

	async list(): Promise<string[]> {
		return [...this.machine.monitors.keys()];
	}

	async delete(_runtime: unknown, containerId: string): Promise<void> {
		this.machine.runtimeState.delete(containerId);
	}

	async pause(): Promise<void> {}
	async resume(): Promise<void> {}
	async update(): Promise<void> {}

	#launch(id: string, isExec: boolean, relays: readonly PortMapping[], args: () => readonly string[]): Task {
		const machine = this.machine;
		const monitor: Monitor = {
			id,
			isExec,
			state: "launched",
			pid: 0,
			exit: undefined,
			get args() {
				return args();
			},
			ended: Promise.withResolvers<TaskExit>(),
			relays,
		};
		machine.monitors.set(id, monitor);
		for (const relay of relays) machine.boundPorts.add(portKey(relay));
		return this.guard(new FakeTask(machine, monitor), "task");
	}
}

export class FakeNetwork {
	/** The daemon's own descriptors: they close with it. */
	readonly #reserved = new Set<string>();

	constructor(private readonly machine: FakeMachine) {}

	async initialize(keep: { sandboxes: ReadonlySet<string>; endpoints: ReadonlySet<string> }): Promise<void> {
		for (const id of this.machine.sandboxes) if (!keep.sandboxes.has(id)) this.machine.sandboxes.delete(id);
		for (const id of this.machine.endpoints) if (!keep.endpoints.has(id)) this.machine.endpoints.delete(id);
	}

	async occupiedSubnets(): Promise<string[]> {
		return [];
	}

	async createNetwork(): Promise<void> {}
	async removeNetwork(): Promise<void> {}

	async createSandbox(containerId: string) {
		this.machine.sandboxes.add(containerId);
		return { containerId, path: `/fake/netns/${containerId}` };
	}

	async removeSandbox(containerId: string): Promise<void> {
		this.machine.sandboxes.delete(containerId);
	}

	reservePorts(requests: readonly PortRequest[]) {
		const mappings = requests.map(({ protocol, containerPort, hostAddress, hostPortStart }) => ({
			protocol,
			containerPort,
			hostAddress,
			hostPort: hostPortStart === 0 ? 32768 + this.machine.boundPorts.size : hostPortStart,
		}));
		const keys = mappings.map(portKey);
		for (const key of keys)
			if (this.machine.boundPorts.has(key) || this.#reserved.has(key))
				throw new ConflictError(`failed to bind host port ${key}: address already in use`);
		for (const key of keys) this.#reserved.add(key);
		return {
			mappings,
			relays: () => mappings as never,
			release: () => {
				for (const key of keys) this.#reserved.delete(key);
			},
		};
	}

	async connect(_network: unknown, _sandbox: unknown, plan: { endpointId: string }): Promise<void> {
		this.machine.endpoints.add(plan.endpointId);
	}

	async disconnect(_network: unknown, _containerId: string, endpointId: string): Promise<void> {
		this.machine.endpoints.delete(endpointId);
	}

	async setGateways(): Promise<void> {}
	async publish(): Promise<void> {}

	async statistics() {
		return {};
	}

	async inventory() {
		return { sandboxes: [...this.machine.sandboxes], endpoints: [...this.machine.endpoints] };
	}

	async close(): Promise<void> {}
}

function portKey(mapping: PortMapping): string {
	return `${mapping.hostAddress}:${mapping.hostPort}/${mapping.protocol}`;
}

export class FakeSnapshotter {
	readonly name = "overlay2";
	constructor(private readonly machine: FakeMachine) {}

	async prepare(containerId: string) {
		this.machine.snapshots.add(containerId);
		return this.#snapshot(containerId);
	}

	async mount(containerId: string) {
		if (!this.machine.snapshots.has(containerId)) throw new NotFoundError(`no snapshot ${containerId}`);
		this.machine.mounts.add(containerId);
		return this.#snapshot(containerId);
	}

	async unmount(containerId: string): Promise<void> {
		this.machine.mounts.delete(containerId);
	}

	async remove(containerId: string): Promise<void> {
		this.machine.mounts.delete(containerId);
		this.machine.snapshots.delete(containerId);
	}

	async containerUsage() {
		return { sizeBytes: 7, inodes: 1 };
	}

	describe() {
		return {};
	}

	/** As at daemon start. */
	cleanUpFor(containers: ReadonlySet<string>): void {
		for (const id of this.machine.snapshots) if (!containers.has(id)) void this.remove(id);
	}

	#snapshot(id: string) {
		return { upperPath: `/fake/${id}/upper`, mergedPath: `/fake/${id}/merged`, isWholeTree: false };
	}
}

export class FakeFiles implements Partial<ContainerHostFiles> {
	constructor(private readonly machine: FakeMachine) {}

	paths(id: string): ContainerPaths {
		const directory = `/fake/containers/${id}`;
		return {
			directory,
			hosts: `${directory}/hosts`,
			hostname: `${directory}/hostname`,
			resolvConf: `${directory}/resolv.conf`,
			bundle: `/fake/bundles/${id}`,
			sharedMemory: `/fake/bundles/${id}/shm`,
		};
	}

	createDirectory(id: string): void {
		this.machine.containerDirectories.add(id);
	}

	writeNetworkFiles(): void {}

	writeBundle(id: string, config: unknown): string {
		this.machine.bundles.set(id, { args: (config as { process: { args: string[] } }).process.args });
		return this.paths(id).bundle;
	}

	removeBundle(id: string): void {
		this.machine.bundles.delete(id);
	}

	async removeDirectory(id: string): Promise<void> {
		this.machine.containerDirectories.delete(id);
	}

	readAccounts() {
		return { passwd: "root:x:0:0::/root:/bin/sh\n", group: "root:x:0:\n" };
	}

	ensureDirectory(): void {}

	kindOf(path: string) {
		return path.startsWith("/missing") ? undefined : ("directory" as const);
	}

	createBindSource(): void {}
	devices() {
		return [];
	}
	allDevices() {
		return [];
	}
	hostResolvConf(): string {
		return "nameserver 192.0.2.1\n";
	}
	hostHosts(): string {
		return "127.0.0.1 localhost\n";
	}

	async cleanUp(keep: { containers: ReadonlySet<string>; running: ReadonlySet<string> }): Promise<void> {
		for (const id of this.machine.bundles.keys()) if (!keep.running.has(id)) this.removeBundle(id);
		for (const id of this.machine.containerDirectories)
			if (!keep.containers.has(id)) this.machine.containerDirectories.delete(id);
	}
}

export class FakeVolumes implements LocalVolumeDriver {
	constructor(private readonly machine: FakeMachine) {}

	mountpoint(name: string): string {
		return `/fake/volumes/${name}/_data`;
	}
	check(): void {}
	exists(name: string): boolean {
		return this.machine.volumes.has(name);
	}
	isMadeInSteps(): boolean {
		return false;
	}
	async create(record: VolumeRecord): Promise<void> {
		this.machine.volumes.add(record.name);
	}
	async withdraw(record: VolumeRecord): Promise<void> {
		this.machine.volumes.delete(record.name);
	}
	async fill(record: VolumeRecord, work: (directory: string) => Promise<void>): Promise<void> {
		await work(this.mountpoint(record.name));
	}
	async rename(formerName: string, record: VolumeRecord): Promise<void> {
		this.machine.volumes.delete(formerName);
		this.machine.volumes.add(record.name);
	}
	async remove(record: VolumeRecord): Promise<void> {
		this.machine.volumes.delete(record.name);
	}
	async mount(record: VolumeRecord): Promise<string> {
		this.machine.volumes.add(record.name);
		return this.mountpoint(record.name);
	}
	async unmount(): Promise<void> {}
	async usage(): Promise<number> {
		return 3;
	}
	async populate(): Promise<void> {}
	async cleanUp(keep: { names: ReadonlySet<string> }): Promise<VolumeCleanUp> {
		for (const name of this.machine.volumes) if (!keep.names.has(name)) this.machine.volumes.delete(name);
		return { gone: [...keep.names].filter((name) => !this.machine.volumes.has(name)), problems: [] };
	}
}

export const noVolumePlugins: VolumePlugins = {
	names: () => [],
	active: () => [],
	async find(name) {
		throw new NotFoundError(`plugin "${name}" not found`);
	},
};

export const fakeMonitor: ResourceMonitor = {
	usage: () => undefined,
	system: () => ({ cpuNs: 1, onlineCpus: 1 }),
	processes: () => [],
	memoryCgroup: () => "",
	removeCgroups: () => {},
	isAlive: () => true,
	listProcesses: async () => "UID PID\n",
};

export type AnyBridgeDriver = NetworkDriver & { occupiedSubnets(): Promise<string[]> };
