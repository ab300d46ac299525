import type { HostConfig } from "../../api/engine/container.ts";
import { MAX_API_VERSION } from "../../api/engine/version.ts";
import type { Digest } from "../../base/digest.ts";
import { CancelledError, errorMessage } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/logger.ts";
import type { BuildStore, StepRun } from "../../core/build/cache-record.ts";
import type { BuildLimits } from "../../core/build/request.ts";
import type { ContainerMount, ContainerRecord } from "../../core/container/container-record.ts";
import { normaliseCreate } from "../../core/container/create.ts";
import type { EndpointNetworks } from "../../core/container/endpoints.ts";
import type { DaemonDefaults } from "../../core/container/host-config.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import type { ContainerRuntime, Task, TaskExit } from "../../core/container/runtime.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { RuntimeTable } from "../container/runtimes.ts";
import type { SpecificationWriter } from "../container/specification.ts";
import { OutputFrames, type OutputPart } from "./output-frames.ts";
import type { StepNetworks } from "./step-networks.ts";

/** One command of a RUN instruction, everything settled but what the engine's defaults add. */
export interface StepCommand {
	readonly arguments: readonly string[];
	readonly environment: readonly string[];
	readonly workingDirectory: string;
	readonly user: string;
	readonly hostname: string;
	/** As in `docker run --network`. */
	readonly network: string;
	readonly privileged: boolean;
	readonly extraHosts: readonly string[];
	readonly limits: BuildLimits;
	/** Binds with their host paths, and tmpfs. */
	readonly mounts: readonly ContainerMount[];
}

export interface StepRunnerDependencies {
	readonly store: BuildStore;
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly networks: StepNetworks;
	readonly endpointNetworks: EndpointNetworks;
	readonly containers: ContainerRegistry;
	readonly files: ContainerHostFiles;
	readonly specification: SpecificationWriter;
	readonly removeCgroups: (cgroupsPath: string) => void;
	readonly logger: Logger;
}

export interface StepRunnerSettings {
	readonly defaults: () => DaemonDefaults;
	readonly host: HostFacts;
}

const SIGKILL = 9;
const NO_IMAGE = `sha256:${"0".repeat(64)}` as Digest;

/**
 * Runs commands of build steps the way containers are run, with the same defaults, monitor and limits, but without a container in the
 * API. The run is noted before anything is made of it; the next daemon ends and removes what it finds noted.
 */
export class StepRunner {
	readonly #deps: StepRunnerDependencies;
	readonly #settings: StepRunnerSettings;
	/** Clean-ups under way. */
	readonly #cleaning = new Set<Promise<void>>();

	constructor(deps: StepRunnerDependencies, settings: StepRunnerSettings) {
		this.#deps = deps;
		this.#settings = settings;
	}

	/**
	 * @param rootPath the mounted root file system
	 * @param onOutput waited for: a slow reader slows the command down
	 * @returns when the process has ended and nothing of it can write any more; the rest is cleaned up meanwhile
	 * @throws TaskStartError, CancelledError, InvalidParameterError (user, limits, network)
	 */
	async run(
		command: StepCommand,
		rootPath: string,
		onOutput: (part: OutputPart) => Promise<void> | void,
		signal: AbortSignal,
		id = newId(),
	): Promise<TaskExit> {
		const { store, specification } = this.#deps;
		signal.throwIfAborted();
		const record = this.#record(id, command);
		const noted: StepRun = { id, runtime: record.runtime, cgroupsPath: specification.cgroupsPath(record) };
		store.putRun(noted);
		let task: Task | undefined;
		try {
			task = await this.#launch(record, rootPath);
			return await this.#watch(task, onOutput, signal);
		} finally {
			this.#cleanLater(record, noted, task);
		}
	}

	/** At daemon start: what a killed daemon's builds have left. */
	async recover(): Promise<void> {
		const { store, runtime, logger } = this.#deps;
		for (const run of store.runs()) {
			try {
				const adopted = await runtime.adopt(run.id);
				const task = adopted.kind === "lost" ? undefined : adopted.task;
				if (adopted.kind === "running") {
					await adopted.task.kill(SIGKILL);
					await adopted.task.exited;
				}
				await this.#clean(run, task);
			} catch (error) {
				logger.error("a build step could not be cleaned up", { step: run.id, error: errorMessage(error) });
			}
		}
	}

	/** Waits for the clean-ups under way. */
	async settled(): Promise<void> {
		while (this.#cleaning.size > 0) await Promise.all(this.#cleaning);
	}

	async #launch(record: ContainerRecord, rootPath: string): Promise<Task> {
		const { runtime, runtimes, networks, files, specification } = this.#deps;
		const memoryCgroup = specification.memoryCgroup(record);
		const [monitor, bundle] = await Promise.allSettled([
			runtime.launch({
				id: record.id,
				runtime: runtimes.get(record.runtime),
				bundle: files.paths(record.id).bundle,
				terminal: false,
				openStdin: false,
				stdinOnce: false,
				log: { kind: "none" },
				...(memoryCgroup === undefined ? {} : { memoryCgroup }),
				relays: [],
			}),
			networks.lend(record).then(({ plan, namespacePath }) => {
				const settled = { ...record, endpoints: plan.endpoints };
				files.createDirectory(record.id);
				const mounts = record.mounts.map((mount) => ({ mount, source: mount.source }));
				specification.write(settled, { root: { path: rootPath, mounts }, namespacePath, plan, ownHostname: true });
			}),
		]);
		if (monitor.status === "rejected") throw monitor.reason;
		if (bundle.status === "fulfilled") return monitor.value;
		await monitor.value.forget();
		throw bundle.reason;
	}

	async #watch(
		task: Task,
		onOutput: (part: OutputPart) => Promise<void> | void,
		signal: AbortSignal,
	): Promise<TaskExit> {
		const output = await task.attach({ stdin: false, stdout: true, stderr: true });
		const kill = () => void task.kill(SIGKILL).catch(() => undefined);
		try {
			signal.throwIfAborted();
			await task.start();
			signal.addEventListener("abort", kill, { once: true });
			if (signal.aborted) kill();
			const frames = new OutputFrames();
			for await (const chunk of output) {
				if (signal.aborted) break;
				for (const part of frames.push(chunk as Buffer)) await onOutput(part);
			}
			const exit = await task.exited;
			if (signal.aborted) throw new CancelledError("build cancelled");
			return exit;
		} catch (error) {
			if (task.pid > 0) {
				kill();
				await task.exited;
			}
			throw signal.aborted ? new CancelledError("build cancelled", { cause: error }) : error;
		} finally {
			signal.removeEventListener("abort", kill);
			output.destroy();
		}
	}

	/** What the next step does not wait for. It is noted in the store until it is done. */
	#cleanLater(record: ContainerRecord, run: StepRun, task: Task | undefined): void {
		const { networks, logger } = this.#deps;
		// Free at once: the processes are gone.
		const work = networks
			.giveBack(record)
			.then(() => this.#clean(run, task))
			.catch((error: unknown) =>
				logger.error("a build step could not be cleaned up", { step: run.id, error: errorMessage(error) }),
			)
			.finally(() => this.#cleaning.delete(work));
		this.#cleaning.add(work);
	}

	async #clean(run: StepRun, task: Task | undefined): Promise<void> {
		const { store, runtime, runtimes, files, removeCgroups } = this.#deps;
		await runtime.delete(runtimes.get(run.runtime), run.id);
		removeCgroups(run.cgroupsPath);
		files.removeBundle(run.id);
		await files.removeDirectory(run.id);
		await task?.forget();
		store.deleteRun(run.id);
	}

	#record(id: string, command: StepCommand): ContainerRecord {
		const defaults = this.#settings.defaults();
		const { containers, endpointNetworks } = this.#deps;
		const settled = normaliseCreate({
			containerId: id,
			request: {
				Image: NO_IMAGE,
				Hostname: isOwnNamespace(command.network) ? command.hostname : "",
				User: command.user,
				Env: [...command.environment],
				WorkingDir: command.workingDirectory,
				Entrypoint: [],
				Cmd: [...command.arguments],
				HostConfig: hostConfigOf(command),
			},
			imageConfig: undefined,
			version: MAX_API_VERSION,
			defaults,
			host: this.#settings.host,
			findContainer: (name) => containers.resolve(name),
			networks: endpointNetworks,
		});
		const endpoints = Object.entries(settled.endpoints).map(([name, requested]) => [name, { requested }] as const);
		return {
			id,
			version: 1,
			name: id,
			createdAt: 0,
			imageId: NO_IMAGE,
			imageReference: "",
			config: settled.config,
			hostConfig: settled.hostConfig,
			mounts: command.mounts,
			endpoints: Object.fromEntries(endpoints),
			mappings: [],
			lifecycle: { kind: "created" },
			stoppedByUser: false,
			restartCount: 0,
			runtime: settled.hostConfig.Runtime || defaults.defaultRuntime,
			platform: "linux",
			logPath: "",
		};
	}
}

function isOwnNamespace(network: string): boolean {
	return network !== "host" && !network.startsWith("container:");
}

function hostConfigOf({ network, privileged, extraHosts, limits }: StepCommand): HostConfig {
	return {
		NetworkMode: network,
		Privileged: privileged,
		Init: false,
		IpcMode: "private",
		ExtraHosts: [...extraHosts],
		LogConfig: { Type: "none", Config: {} },
		...(limits.memoryBytes === undefined ? {} : { Memory: limits.memoryBytes }),
		...(limits.memorySwapBytes === undefined ? {} : { MemorySwap: limits.memorySwapBytes }),
		...(limits.cpuShares === undefined ? {} : { CpuShares: limits.cpuShares }),
		...(limits.cpuPeriod === undefined ? {} : { CpuPeriod: limits.cpuPeriod }),
		...(limits.cpuQuota === undefined ? {} : { CpuQuota: limits.cpuQuota }),
		...(limits.cpusetCpus === undefined ? {} : { CpusetCpus: limits.cpusetCpus }),
		...(limits.cpusetMems === undefined ? {} : { CpusetMems: limits.cpusetMems }),
		...(limits.shmSizeBytes === undefined ? {} : { ShmSize: limits.shmSizeBytes }),
		...(limits.ulimits === undefined ? {} : { Ulimits: [...limits.ulimits] }),
		...(limits.cgroupParent === undefined ? {} : { CgroupParent: limits.cgroupParent }),
	};
}
