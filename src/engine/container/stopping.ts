import { type Clock, settlesWithin } from "../../base/clock.ts";
import { ConflictError, EngineError, errorMessage, NotModifiedError, SystemError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerRuntime } from "../../core/container/runtime.ts";
import { parseSignal, supportedSignal } from "../../core/container/signals.ts";
import { isRunning, notRunning, transition } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerRegistry } from "./registry.ts";
import { KILL_PATIENCE_MS } from "./run-cleaner.ts";
import type { RuntimeTable } from "./runtimes.ts";
import type { ContainerStarter } from "./starter.ts";
import type { ContainerSupervisor } from "./supervisor.ts";
import type { TaskTable } from "./tasks.ts";
import type { ContainerWaits } from "./waits.ts";

const SIGKILL = 9;
const SIGTERM = 15;
const DEFAULT_STOP_SECONDS = 10;
/** The end of a process that was killed while frozen is told a moment later than the runtime notices it. */
const THAW_PATIENCE_MS = 1_000;

export interface StopOptions {
	readonly signal?: string;
	readonly timeoutSeconds?: number;
}

export interface StopperDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly waits: ContainerWaits;
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

/** Ends processes: stop, kill, restart. The lock is held to signal, never while waiting for the end. */
export class ContainerStopper {
	readonly #deps: StopperDependencies;
	readonly #supervisor: ContainerSupervisor;
	readonly #starter: ContainerStarter;

	constructor(deps: StopperDependencies, supervisor: ContainerSupervisor, starter: ContainerStarter) {
		this.#deps = deps;
		this.#supervisor = supervisor;
		this.#starter = starter;
	}

	/** @throws NotModifiedError when it does not run */
	async stop(name: string, options: StopOptions): Promise<void> {
		const { registry, events } = this.#deps;
		const { id } = registry.resolve(name);
		const signal = options.signal === undefined || options.signal === "" ? undefined : parseSignal(options.signal);
		if (!(await this.#end(id, signal, options.timeoutSeconds)))
			throw new NotModifiedError(`container ${id} is already stopped`);
		const record = registry.find(id);
		if (record !== undefined) publishContainerEvent(events, record, "stop");
	}

	async restart(name: string, options: StopOptions): Promise<void> {
		const { registry, events } = this.#deps;
		const { id } = registry.resolve(name);
		const signal = options.signal === undefined || options.signal === "" ? undefined : parseSignal(options.signal);
		await this.#supervisor.duringRestart(id, async () => {
			const ended = await this.#end(id, signal, options.timeoutSeconds);
			if (ended) publishContainerEvent(events, registry.get(id), "stop");
			this.#supervisor.cancelRestart(id);
			await registry.locked(id, () => this.#startUnlessRunning(id));
		});
		publishContainerEvent(events, registry.get(id), "restart");
	}

	/** Somebody else may have started it in between: then it runs, as was asked for. */
	async #startUnlessRunning(id: string): Promise<void> {
		try {
			await this.#starter.start(id, "user");
		} catch (error) {
			if (!(error instanceof NotModifiedError)) throw error;
		}
	}

	/** @throws ConflictError when it does not run, InvalidParameterError for a signal that does not exist */
	async kill(name: string, signalText: string): Promise<void> {
		const prefix = `cannot kill container: ${name}: `;
		const { registry, waits } = this.#deps;
		const signal = within(prefix, () => (signalText === "" ? SIGKILL : supportedSignal(signalText)));
		const { id } = within(prefix, () => registry.resolve(name));
		const abandoned = new AbortController();
		const ended = waits.register(id, "next-exit", abandoned.signal);
		try {
			await registry.locked(id, async () => {
				const record = registry.get(id);
				if (record.lifecycle.kind === "restarting") return this.#cancelRestart(record);
				if (!isRunning(record.lifecycle)) throw new ConflictError(`${prefix}${notRunning(id).message}`);
				await this.#signal(record, signal);
			});
			// Docker, too, answers a SIGKILL when the container is gone.
			if (signal === SIGKILL) await this.#within(ended, KILL_PATIENCE_MS);
		} finally {
			abandoned.abort();
		}
	}

	/** @returns false when there was nothing to end */
	async #end(id: string, chosen: number | undefined, timeoutSeconds: number | undefined): Promise<boolean> {
		const { registry, waits } = this.#deps;
		const abandoned = new AbortController();
		const ended = waits.register(id, "next-exit", abandoned.signal);
		try {
			const record = registry.get(id);
			const signal = chosen ?? stopSignal(record);
			const signalled = await registry.locked(id, () => this.#begin(id, signal));
			if (signalled !== "signalled") return signalled === "cancelled";
			const seconds = timeoutSeconds ?? record.config.StopTimeout ?? DEFAULT_STOP_SECONDS;
			if (await this.#within(ended, seconds < 0 ? undefined : seconds * 1000)) return true;
			await this.#force(id);
			if (await this.#within(ended, KILL_PATIENCE_MS)) return true;
			throw new SystemError(`cannot stop container: ${id}: tried to kill container, but did not receive an exit event`);
		} finally {
			abandoned.abort();
		}
	}

	async #begin(id: string, signal: number): Promise<"signalled" | "cancelled" | "not-running"> {
		const record = this.#deps.registry.get(id);
		if (record.lifecycle.kind === "restarting") {
			this.#cancelRestart(record);
			return "cancelled";
		}
		if (!isRunning(record.lifecycle)) return "not-running";
		await this.#signal(record, signal, true);
		return "signalled";
	}

	async #force(id: string): Promise<void> {
		const { registry } = this.#deps;
		await registry.locked(id, async () => {
			const record = registry.find(id);
			if (record !== undefined && isRunning(record.lifecycle)) await this.#signal(record, SIGKILL, true);
		});
	}

	#cancelRestart(record: ContainerRecord): void {
		const { registry } = this.#deps;
		this.#supervisor.cancelRestart(record.id);
		const lifecycle = transition(record.lifecycle, { kind: "restart-cancelled" }, record.id);
		registry.update(record.id, { lifecycle, stoppedByUser: true });
	}

	/** Notes first that the user wants the end, so that no policy undoes it, a crash in between or not. */
	async #signal(record: ContainerRecord, signal: number, isStop = false): Promise<void> {
		const { registry, tasks, events } = this.#deps;
		const ends = isStop || signal === SIGKILL || signal === stopSignal(record);
		if (ends) {
			this.#supervisor.cancelRestart(record.id);
			if (!record.stoppedByUser) registry.update(record.id, { stoppedByUser: true });
		}
		try {
			await tasks.running(record.id).kill(signal);
		} catch (error) {
			// It has just ended by itself: what was asked for is so.
			if (!(error instanceof ConflictError && ends)) throw error;
		}
		publishContainerEvent(events, record, "kill", { signal: String(signal) });
		// A frozen process gets its signal when it thaws; Docker thaws it for the signals that are to end it.
		if (ends && record.lifecycle.kind === "paused") await this.#thaw(record);
	}

	/** What ended by the signal while it was frozen need not thaw. */
	async #thaw({ id, runtime: name, lifecycle }: ContainerRecord): Promise<void> {
		const { registry, tasks, runtime, runtimes, events } = this.#deps;
		try {
			await runtime.resume(runtimes.get(name), id);
		} catch (cause) {
			if (await this.#within(tasks.running(id).exited, THAW_PATIENCE_MS)) return;
			throw new SystemError(`cannot unpause container ${id} to end it: ${errorMessage(cause)}`, { cause });
		}
		const record = registry.update(id, { lifecycle: transition(lifecycle, { kind: "resumed" }, id) });
		publishContainerEvent(events, record, "unpause");
	}

	/** Whether the promise settles in time; undefined: for ever. */
	async #within(promise: Promise<unknown>, limitMs: number | undefined): Promise<boolean> {
		if (limitMs === undefined) return promise.then(() => true);
		return settlesWithin(this.#deps.clock, limitMs, promise);
	}
}

function stopSignal(record: ContainerRecord): number {
	const signal = record.config.StopSignal ?? "";
	return signal === "" ? SIGTERM : parseSignal(signal);
}

/** Adds what was being done to an error's message, of the same kind. */
function within<T>(prefix: string, work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (error instanceof EngineError) throw new EngineError(error.kind, `${prefix}${error.message}`, { cause: error });
		throw error;
	}
}
