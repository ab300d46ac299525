import type { Clock } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerHealth, ContainerRecord } from "../../core/container/container-record.ts";
import { INITIAL_HEALTH, planHealth } from "../../core/container/health.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { logSink } from "../../core/container/log-config.ts";
import type { ContainerRuntime, LogSink, Task } from "../../core/container/runtime.ts";
import type { ContainerNetworking } from "../network/container-networking.ts";
import { type NetworkPlan, relayTarget } from "../network/network-plan.ts";
import type { PendingAttachments } from "./attachments.ts";
import type { ContainerFilesystem } from "./filesystem.ts";
import type { RunCleaner } from "./run-cleaner.ts";
import type { RuntimeTable } from "./runtimes.ts";
import type { SpecificationWriter } from "./specification.ts";
import type { TaskTable } from "./tasks.ts";

const SIGKILL = 9;

export interface LaunchedTask {
	readonly task: Task;
	readonly pid: number;
	/** Milliseconds since the epoch, not after its first output: clients ask for logs since its start. */
	readonly startedAt: number;
	readonly health?: ContainerHealth;
}

export interface TaskLauncherDependencies {
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly networking: ContainerNetworking;
	readonly filesystem: ContainerFilesystem;
	readonly files: ContainerHostFiles;
	readonly specification: SpecificationWriter;
	readonly attachments: PendingAttachments;
	readonly tasks: TaskTable;
	readonly cleaner: RunCleaner;
	readonly clock: Clock;
	readonly logger: Logger;
}

/**
 * The side effects of a start, side by side where they do not need each other: root file system, network, monitor; then
 * the specification, waiting clients, and the process.
 */
export class TaskLauncher {
	readonly #deps: TaskLauncherDependencies;

	constructor(deps: TaskLauncherDependencies) {
		this.#deps = deps;
	}

	/** All or nothing. @throws TaskStartError, SystemError, … */
	async launch(record: ContainerRecord, plan: NetworkPlan): Promise<LaunchedTask> {
		let task: Task | undefined;
		try {
			const monitor = this.#startMonitor(record, plan).then((started) => {
				task = started;
				return started;
			});
			const bundle = allOrFirstError([
				this.#deps.filesystem.prepare(record),
				this.#deps.networking.setUp(record, plan),
			]).then(([root, namespacePath]) => this.#deps.specification.write(record, { root, namespacePath, plan }));
			const [launched] = await allOrFirstError([monitor, bundle]);
			await this.#deps.attachments.connect(record.id, launched);
			const startedAt = this.#deps.clock.now();
			const pid = await launched.start();
			this.#deps.tasks.set(record.id, launched);
			this.#deps.filesystem.publishMounts(record);
			return { task: launched, pid, startedAt, ...initialHealth(record) };
		} catch (error) {
			await this.#undo(record, task);
			throw error;
		} finally {
			plan.reservation?.release();
		}
	}

	/** Ends what was launched, when its start could not be stored. */
	async abort(record: ContainerRecord, launched: LaunchedTask): Promise<void> {
		await launched.task.kill(SIGKILL).catch((error: unknown) => {
			this.#deps.logger.warn("kill failed", { container: record.id, error: errorMessage(error) });
		});
		await launched.task.exited;
		await this.#undo(record, launched.task);
	}

	async #startMonitor(record: ContainerRecord, plan: NetworkPlan): Promise<Task> {
		const { runtime, runtimes, files, specification } = this.#deps;
		const { config, hostConfig } = record;
		const terminal = config.Tty === true;
		const [height = 0, width = 0] = hostConfig.ConsoleSize ?? [];
		const memoryCgroup = specification.memoryCgroup(record);
		return await runtime.launch({
			id: record.id,
			runtime: runtimes.get(record.runtime),
			bundle: files.paths(record.id).bundle,
			terminal,
			...(terminal && height > 0 && width > 0 ? { consoleSize: { width, height } } : {}),
			openStdin: config.OpenStdin === true,
			stdinOnce: config.StdinOnce === true,
			log: sinkOf(record),
			...(memoryCgroup === undefined ? {} : { memoryCgroup }),
			relays: plan.reservation?.relays(relayTarget(plan)) ?? [],
		});
	}

	async #undo(record: ContainerRecord, task: Task | undefined): Promise<void> {
		try {
			await this.#deps.cleaner.release(record, task);
		} catch (error) {
			this.#deps.logger.error("undoing a start failed", { container: record.id, error: errorMessage(error) });
		}
	}
}

/** Waits for both, so that nothing is still being made when the undo begins; then throws the first error, if any. */
async function allOrFirstError<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
	const [a, b] = await Promise.allSettled(work);
	if (a.status === "rejected") throw a.reason;
	if (b.status === "rejected") throw b.reason;
	return [a.value, b.value];
}

export function sinkOf(record: ContainerRecord): LogSink {
	return logSink(record.hostConfig.LogConfig ?? {}, {
		id: record.id,
		name: record.name,
		imageId: record.imageId,
		imageReference: record.imageReference,
		labels: record.config.Labels ?? {},
		env: record.config.Env ?? [],
		path: record.logPath,
	});
}

function initialHealth(record: ContainerRecord): { health?: ContainerHealth } {
	const plan = planHealth(record.config.Healthcheck, record.config.Shell);
	return plan === undefined ? {} : { health: INITIAL_HEALTH };
}
