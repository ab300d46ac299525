import { type Duplex, Readable } from "node:stream";
import type { ContainerStats, ContainerTopResponse } from "../../api/engine/container.ts";
import { ConflictError } from "../../base/errors.ts";
import type { AttachSession } from "../../core/container/attach-session.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import { parseProcessList, parsePsArguments } from "../../core/container/process-list.ts";
import type { ResourceMonitor } from "../../core/container/resource-monitor.ts";
import type { AttachOptions } from "../../core/container/runtime.ts";
import { isRunning, notRunning } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { LogsOptions } from "../../core/log/logs-options.ts";
import type { PendingAttachments } from "./attachments.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerLogs } from "./logs.ts";
import { oneWayStream } from "./one-way-stream.ts";
import type { ContainerRegistry } from "./registry.ts";
import { replayThen } from "./replay-stream.ts";
import type { ContainerSampler } from "./stats.ts";
import type { TaskTable } from "./tasks.ts";

export interface AttachRequest extends AttachOptions {
	readonly stream: boolean;
	readonly logs: boolean;
	readonly detachKeys?: string;
}

export interface ContainerStreamsDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly attachments: PendingAttachments;
	readonly logs: ContainerLogs;
	readonly sampler: ContainerSampler;
	readonly monitor: ResourceMonitor;
	readonly events: EventPublisher;
}

/** What comes out of containers as it happens: output, logs, counters, processes. */
export class ContainerStreams {
	readonly #deps: ContainerStreamsDependencies;

	constructor(deps: ContainerStreamsDependencies) {
		this.#deps = deps;
	}

	/** @throws ConflictError while it is paused or waits for its restart */
	async attach(name: string, request: AttachRequest): Promise<AttachSession> {
		const { registry, logs, events } = this.#deps;
		const record = registry.resolve(name);
		const terminal = record.config.Tty === true;
		checkCanAttach(record);
		const { stdout, stderr } = request;
		const past = request.logs ? await logs.replay(record, { stdout, stderr }) : undefined;
		publishContainerEvent(events, record, "attach");
		if (!request.stream) return { terminal, stream: oneWayStream(past ?? Readable.from([])) };
		const live = await this.#live(record.id, {
			stdin: request.stdin && record.config.OpenStdin === true,
			stdout,
			stderr,
		});
		const onDetach = () => publishContainerEvent(events, registry.find(record.id) ?? record, "detach");
		return { terminal, stream: past === undefined ? live : replayThen(past, live), onDetach };
	}

	/** @returns frames, or raw bytes for a terminal's container */
	async logs(
		name: string,
		options: LogsOptions,
		signal: AbortSignal,
	): Promise<{ readonly terminal: boolean; readonly stream: Readable }> {
		const record = this.#deps.registry.resolve(name);
		return { terminal: record.config.Tty === true, stream: await this.#deps.logs.read(record, options, signal) };
	}

	stats(
		name: string,
		options: { readonly stream: boolean; readonly oneShot: boolean },
		signal: AbortSignal,
	): AsyncIterable<ContainerStats> {
		return this.#deps.sampler.samples(this.#deps.registry.resolve(name), options, signal);
	}

	/** @throws ConflictError when it does not run, SystemError with what ps says */
	async top(name: string, psArguments: string): Promise<ContainerTopResponse> {
		const { registry, monitor, events } = this.#deps;
		const record = registry.resolve(name);
		const psArgumentList = parsePsArguments(psArguments);
		if (record.lifecycle.kind === "restarting")
			throw new ConflictError(`Container ${record.id} is restarting, wait until the container is running`);
		if (!isRunning(record.lifecycle)) throw notRunning(record.id);
		const processIds = monitor.processes(record.lifecycle.pid);
		const table = parseProcessList(await monitor.listProcesses(psArgumentList), new Set(processIds));
		publishContainerEvent(events, record, "top");
		return table;
	}

	/** Under the lock, so that a start under way is over: either it runs, or the next start connects the client. */
	async #live(id: string, options: AttachOptions): Promise<Duplex> {
		const { registry, tasks, attachments } = this.#deps;
		return await registry.locked(id, async () => {
			const task = tasks.get(id);
			const running = isRunning(registry.get(id).lifecycle);
			return running && task !== undefined ? await task.attach(options) : attachments.add(id, options);
		});
	}
}

function checkCanAttach(record: ContainerRecord): void {
	if (record.lifecycle.kind === "paused")
		throw new ConflictError(`container ${record.id} is paused, unpause the container before attach`);
	if (record.lifecycle.kind === "restarting")
		throw new ConflictError(`container ${record.id} is restarting, wait until the container is running`);
}
