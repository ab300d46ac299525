import { Readable } from "node:stream";
import type { ExecCreateRequest, ExecInspect, ExecStartRequest } from "../../api/engine/exec.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import { ConflictError, errorMessage, NotFoundError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/logger.ts";
import type { AttachSession } from "../../core/container/attach-session.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { AttachOptions, ContainerRuntime, Task } from "../../core/container/runtime.ts";
import { isRunning, notRunning } from "../../core/container/state.ts";
import { TaskStartError } from "../../core/container/task-start-error.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { checkExecRequest } from "../../core/exec/exec-spec.ts";
import { outputFrame } from "../../core/log/output-frame.ts";
import { publishContainerEvent } from "../container/container-events.ts";
import { oneWayStream } from "../container/one-way-stream.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { RuntimeTable } from "../container/runtimes.ts";
import type { ExecProcessBuilder } from "./exec-process.ts";
import { type ExecEntry, ExecTable } from "./exec-table.ts";

export interface ExecServiceDependencies {
	readonly registry: ContainerRegistry;
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly processes: ExecProcessBuilder;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

const EXIT_CODES = { "not-found": 127, "not-executable": 126, other: 128 } as const;
const SIGKILL = 9;

/** Further processes in running containers. */
export class ExecService {
	readonly #deps: ExecServiceDependencies;
	readonly #table: ExecTable;

	constructor(deps: ExecServiceDependencies) {
		this.#deps = deps;
		this.#table = new ExecTable(deps.clock);
	}

	/** @throws ConflictError when the container does not run, InvalidParameterError, also for a user it does not have */
	async create(containerName: string, request: ExecCreateRequest): Promise<{ Id: string }> {
		const record = this.#deps.registry.resolve(containerName);
		checkCanExec(record, containerName);
		checkExecRequest(request);
		this.#deps.runtime.expectStart();
		const process = this.#deps.processes.build(record, request);
		const [height = 0, width = 0] = request.ConsoleSize ?? [];
		const id = newId();
		this.#table.add({
			id,
			containerId: record.id,
			request,
			process,
			state: "created",
			exitCode: undefined,
			pid: 0,
			task: undefined,
			consoleSize: height > 0 && width > 0 ? { width, height } : undefined,
		});
		this.#publish(record, `exec_create: ${commandLine(request)}`, { execID: id });
		return { Id: id };
	}

	/**
	 * A process that cannot be started says so in the session's output, as Docker does, where there is a session.
	 * @throws ConflictError, NotFoundError, TaskStartError (detached)
	 */
	async start(id: string, request: ExecStartRequest): Promise<AttachSession | undefined> {
		const entry = this.#table.get(id);
		const record = this.#deps.registry.find(entry.containerId);
		if (record === undefined) throw new NotFoundError(`No such container: ${entry.containerId}`);
		if (entry.state === "ended") throw new ConflictError(`exec command ${id} has already run`);
		if (entry.state !== "created") throw new ConflictError(`exec command ${id} is already running`);
		checkCanExec(record, record.id);
		const [height = 0, width = 0] = request.ConsoleSize ?? [];
		if (height > 0 && width > 0) entry.consoleSize = { width, height };
		entry.state = "starting";
		this.#publish(record, `exec_start: ${commandLine(entry.request)}`, { execID: id });
		const terminal = entry.request.Tty === true;
		const options: AttachOptions = {
			stdin: entry.request.AttachStdin === true,
			stdout: entry.request.AttachStdout === true,
			stderr: entry.request.AttachStderr === true,
		};
		try {
			const stream = await this.#launch(record, entry, request.Detach === true ? undefined : options);
			if (stream === undefined) return undefined;
			return { terminal, stream, onDetach: () => this.#publish(record, "exec_detach", { execID: id }) };
		} catch (error) {
			entry.state = "ended";
			entry.exitCode = error instanceof TaskStartError ? EXIT_CODES[error.reason] : EXIT_CODES.other;
			this.#table.expire(id);
			if (!(error instanceof TaskStartError) || request.Detach === true) throw error;
			const message = Buffer.from(`${error.message}\r\n`);
			return { terminal, stream: oneWayStream(Readable.from([terminal ? message : outputFrame("stdout", message)])) };
		}
	}

	/** Before the start too. @throws NotFoundError, ConflictError when it has ended */
	async resize(id: string, width: number, height: number): Promise<void> {
		const entry = this.#table.get(id);
		if (entry.state === "ended") throw new ConflictError(`Exec ${id} is not running`);
		entry.consoleSize = { width, height };
		await entry.task?.resize(width, height);
	}

	async inspect(id: string): Promise<ExecInspect> {
		const entry = this.#table.get(id);
		const { request } = entry;
		const [entrypoint = "", ...rest] = request.Cmd ?? [];
		const detached = entry.state !== "created" && entry.task === undefined && entry.exitCode === undefined;
		return {
			ID: id,
			Running: entry.state === "running" || entry.state === "starting",
			ExitCode: entry.exitCode ?? null,
			ProcessConfig: {
				tty: request.Tty === true,
				entrypoint,
				arguments: rest,
				privileged: request.Privileged === true,
				...(request.User ? { user: request.User } : {}),
			},
			OpenStdin: request.AttachStdin === true && !detached,
			OpenStderr: request.AttachStderr === true,
			OpenStdout: request.AttachStdout === true,
			CanRemove: entry.state === "ended" && entry.exitCode !== undefined,
			ContainerID: entry.containerId,
			DetachKeys: request.DetachKeys ?? "",
			Pid: entry.pid,
		};
	}

	/** IDs of the execs that run, for inspect. */
	idsOf(containerId: string): string[] {
		return this.#table
			.ofContainer(containerId)
			.filter((entry) => entry.state === "running" || entry.state === "starting")
			.map((entry) => entry.id);
	}

	/**
	 * Runs a command to its end for the daemon itself (health checks), with the events of any exec.
	 * @returns its exit code and the first `limitBytes` of its output; undefined exit code when the time was up
	 */
	async probe(
		containerId: string,
		request: ExecCreateRequest,
		limits: { readonly timeoutMs: number; readonly limitBytes: number },
	): Promise<{ readonly exitCode: number | undefined; readonly output: string }> {
		const { Id: id } = await this.create(containerId, request);
		const session = await this.start(id, {});
		const entry = this.#table.get(id);
		const output = collectOutput(session, limits.limitBytes);
		if (entry.task === undefined) return { exitCode: entry.exitCode ?? 128, output: await output };
		const inTime = await settlesWithin(this.#deps.clock, limits.timeoutMs, entry.task.exited);
		if (!inTime) {
			await this.#kill(entry.task);
			return { exitCode: undefined, output: await output };
		}
		return { exitCode: (await entry.task.exited).exitCode, output: await output };
	}

	/** The container's run is over, and with it its execs. */
	containerEnded(containerId: string): void {
		for (const entry of this.#table.ofContainer(containerId)) {
			if (entry.task === undefined) this.#table.remove(entry.id);
			else void this.#kill(entry.task).finally(() => this.#table.expire(entry.id));
		}
	}

	close(): void {
		this.#table.clear();
	}

	async #launch(record: ContainerRecord, entry: ExecEntry, attach: AttachOptions | undefined) {
		const { runtime, runtimes } = this.#deps;
		checkDirectory(entry.request);
		const terminal = entry.request.Tty === true;
		const task = await runtime.launchExec({
			id: entry.id,
			containerId: record.id,
			runtime: runtimes.get(record.runtime),
			terminal,
			...(terminal && entry.consoleSize !== undefined ? { consoleSize: entry.consoleSize } : {}),
			openStdin: attach?.stdin === true,
			stdinOnce: true,
			log: { kind: "none" },
			process: entry.process,
		});
		try {
			const stream = attach === undefined ? undefined : await task.attach(attach);
			entry.pid = await task.start();
			entry.task = task;
			entry.state = "running";
			void task.exited.then((exit) => this.#ended(record, entry, task, exit.exitCode));
			return stream;
		} catch (error) {
			await task.forget();
			throw error;
		}
	}

	#ended(record: ContainerRecord, entry: ExecEntry, task: Task, exitCode: number): void {
		entry.state = "ended";
		entry.exitCode = exitCode;
		entry.pid = 0;
		this.#table.expire(entry.id);
		this.#publish(record, "exec_die", { execID: entry.id, exitCode: String(exitCode) });
		void task.forget().catch((error: unknown) => {
			this.#deps.logger.warn("an exec's monitor could not be dismissed", {
				exec: entry.id,
				error: errorMessage(error),
			});
		});
	}

	#publish(record: ContainerRecord, action: string, attributes: Readonly<Record<string, string>>): void {
		publishContainerEvent(this.#deps.events, this.#deps.registry.find(record.id) ?? record, action, attributes);
	}

	async #kill(task: Task): Promise<void> {
		try {
			await task.kill(SIGKILL);
		} catch (error) {
			// It has ended by itself.
			if (!(error instanceof ConflictError))
				this.#deps.logger.warn("an exec could not be killed", { exec: task.id, error: errorMessage(error) });
		}
	}
}

function checkCanExec(record: ContainerRecord, name: string): void {
	if (record.lifecycle.kind === "restarting")
		throw new ConflictError(`Container ${record.id} is restarting, wait until the container is running`);
	if (!isRunning(record.lifecycle)) throw notRunning(record.id);
	if (record.lifecycle.kind === "paused")
		throw new ConflictError(`Container ${name} is paused, unpause the container before exec`);
}

/** As runc refuses it; other runtimes would take a relative path for one from the root. */
function checkDirectory({ WorkingDir = "" }: ExecCreateRequest): void {
	if (WorkingDir !== "" && !WorkingDir.startsWith("/"))
		throw new TaskStartError("other", "OCI runtime exec failed: exec failed: Cwd must be an absolute path");
}

function commandLine(request: ExecCreateRequest): string {
	const [entrypoint = "", ...rest] = request.Cmd ?? [];
	return `${entrypoint} ${rest.join(" ")}`;
}

/** The payload of the session's frames, as far as the limit goes; the rest is read and dropped. */
async function collectOutput(session: AttachSession | undefined, limitBytes: number): Promise<string> {
	if (session === undefined) return "";
	const chunks: Buffer[] = [];
	let size = 0;
	session.stream.end();
	for await (const chunk of session.stream as AsyncIterable<Buffer>) {
		// Eight header bytes may come with every single byte of output.
		if (size < limitBytes * 9) chunks.push(chunk);
		size += chunk.length;
	}
	return stripFrames(Buffer.concat(chunks)).subarray(0, limitBytes).toString("utf8");
}

function stripFrames(framed: Buffer): Buffer {
	const payloads: Buffer[] = [];
	for (let offset = 0; offset + 8 <= framed.length; ) {
		const length = framed.readUInt32BE(offset + 4);
		payloads.push(framed.subarray(offset + 8, offset + 8 + length));
		offset += 8 + length;
	}
	return Buffer.concat(payloads);
}
