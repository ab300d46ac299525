import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { type Clock, delay, settlesWithin } from "../../base/clock.ts";
import { ConflictError, errnoCode, NotImplementedError, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { AttachOptions, ProcessRoot, Task, TaskExit } from "../../core/container/runtime.ts";
import type { PortMapping } from "../../core/network/driver.ts";
import { RootDirectory } from "../linux/root-directory.ts";
import { ControlConnection, ShimCommandError } from "./control-connection.ts";
import { findProcess, killLeftover } from "./noted-process.ts";
import { RotatedLogCompressor } from "./rotated-log-compressor.ts";
import type { ShimDirectory } from "./shim-directory.ts";
import { attachHello, parseState, type ShimState } from "./shim-protocol.ts";
import { startError } from "./start-failure.ts";

const RECONNECT_MS = 100;

/** A monitor that is stopped (a debugger, a frozen cgroup) answers nobody. One that is well takes less than a millisecond. */
const PATIENCE_MS = 5000;

export interface ShimTaskDeps {
	readonly directory: ShimDirectory;
	readonly logger: Logger;
	readonly clock: Clock;
	/** What is started, for the words of a failure. */
	readonly subject: StartSubject;
}

export interface StartSubject {
	readonly kind: "run" | "exec";
	/** Name of the OCI runtime. */
	readonly runtime: string;
	/** First argument of the process; asked for only when the start failed. */
	program(): Promise<string>;
}

/** The daemon's side of one shim. Reconnects when the connection drops while the shim lives. */
export class ShimTask implements Task {
	readonly #deps: ShimTaskDeps;
	readonly #exit = Promise.withResolvers<TaskExit>();
	readonly #outOfMemoryListeners: (() => void)[] = [];
	readonly #started = Promise.withResolvers<number>();
	#compressor: RotatedLogCompressor | undefined;
	#connection: Promise<ControlConnection> | undefined;
	#forgotten: Promise<void> | undefined;
	#hasEnded = false;
	#failed = false;
	#pid = 0;

	private constructor(deps: ShimTaskDeps) {
		this.#deps = deps;
		this.#started.promise.catch(() => {}); // only `start` awaits it
	}

	/** Connects to a shim that accepts connections. @throws the socket's error when none does. */
	static async connect(deps: ShimTaskDeps): Promise<ShimTask> {
		const task = new ShimTask(deps);
		task.#connection = Promise.resolve((await task.#open()).connection);
		return task;
	}

	/**
	 * Finds a shim again. `state` is undefined when it accepts connections and says nothing for 5 s: then the task goes by what the
	 * shim has noted, and connects when the shim goes on. @throws the socket's error when there is none
	 */
	static async find(deps: ShimTaskDeps): Promise<{ task: ShimTask; state: ShimState | undefined }> {
		const task = new ShimTask(deps);
		const opening = task.#open();
		if (await settlesWithin(deps.clock, PATIENCE_MS, opening)) {
			const { connection, state } = await opening;
			task.#connection = Promise.resolve(connection);
			if (state.phase === "running") void task.#compressRotated(); // what was rotated while nobody was connected
			return { task, state };
		}
		deps.logger.warn("monitor does not answer", { task: deps.directory.id });
		task.#pid = (await findProcess(deps.directory)) ?? 0;
		task.#connection = opening.then(({ connection }) => connection).catch(() => task.#reconnect());
		task.#connection.catch(() => {}); // told to whoever asks next; #reconnect has settled the task
		return { task, state: undefined };
	}

	/** A task whose shim is gone, but whose exit is known. */
	static ended(deps: ShimTaskDeps, exit: TaskExit): ShimTask {
		const task = new ShimTask(deps);
		task.#settle(exit);
		return task;
	}

	get id(): string {
		return this.#deps.directory.id;
	}

	get pid(): number {
		return this.#pid;
	}

	get exited(): Promise<TaskExit> {
		return this.#exit.promise;
	}

	onOutOfMemory(listener: () => void): void {
		this.#outOfMemoryListeners.push(listener);
	}

	async start(): Promise<number> {
		const connection = await this.#connected();
		return await connection.keepAliveDuring(this.#request("start").then(() => this.#started.promise));
	}

	/** Resolves when a start that was under way when the daemon died has come to its end; rejects if it failed. */
	async startSettled(): Promise<number> {
		return await this.#started.promise;
	}

	async attach(options: AttachOptions): Promise<Duplex> {
		const streams = (["stdin", "stdout", "stderr"] as const).filter((stream) => options[stream]);
		try {
			return await this.#deps.directory.withSocketPath((path) => openAttachment(path, attachHello(streams)));
		} catch (error) {
			if (this.#hasEnded) return endedStream();
			throw new SystemError(`Can't attach to ${this.id}`, { cause: error });
		}
	}

	async openRoot(): Promise<ProcessRoot | undefined> {
		const pid = this.#pid;
		if (pid === 0 || this.#hasEnded) return undefined;
		let root: RootDirectory;
		try {
			root = RootDirectory.open(`/proc/${pid}/root`);
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return undefined;
			throw new SystemError(`Can't open the root directory of ${this.id}`, { cause: error });
		}
		// Asked after the opening: if the process is there now, its pid was nobody else's then.
		if ((await findProcess(this.#deps.directory)) === pid)
			return { path: RootDirectory.pathOf(root.fd), close: () => root.close() };
		root.close();
		return undefined;
	}

	async resize(width: number, height: number): Promise<void> {
		await this.#request(`resize ${width} ${height}`);
	}

	async kill(signal: number): Promise<void> {
		if (this.#hasEnded) throw new ConflictError(`process of ${this.id} has ended`);
		await this.#request(`kill ${signal}`);
	}

	async publish(
		{ protocol, hostAddress, hostPort, containerPort }: PortMapping,
		containerAddress: string,
	): Promise<void> {
		await this.#request(`publish ${protocol} ${hostAddress} ${hostPort} ${containerAddress} ${containerPort}`);
	}

	async unpublish({ protocol, hostAddress, hostPort }: PortMapping): Promise<void> {
		await this.#request(`unpublish ${protocol} ${hostAddress} ${hostPort}`);
	}

	forget(): Promise<void> {
		this.#forgotten ??= this.#forget();
		return this.#forgotten;
	}

	async #forget(): Promise<void> {
		try {
			const connection = await this.#connected();
			await connection.request("forget");
			connection.close();
		} catch (error) {
			if (error instanceof ShimCommandError) {
				this.#forgotten = undefined;
				throw new ConflictError(`process of ${this.id} has not ended`, { cause: error });
			}
			await this.#deps.directory.remove(); // no shim left to do it
		}
	}

	async #request(command: string): Promise<string> {
		try {
			const connection = await this.#connected();
			return await this.#inTime(connection.request(command));
		} catch (error) {
			if (!(error instanceof ShimCommandError)) throw error;
			if (error.code === "ENOSYS")
				throw new NotImplementedError(
					`the monitor of ${this.id} is of an earlier version and cannot do that: restart the container`,
					{ cause: error },
				);
			if (["ESRCH", "EALREADY", "EADDRINUSE"].includes(error.code))
				throw new ConflictError(`${command} of ${this.id}: ${error.message}`, { cause: error });
			throw new SystemError(`${command} of ${this.id}: ${error.code} ${error.message}`, { cause: error });
		}
	}

	async #connected(): Promise<ControlConnection> {
		if (this.#connection === undefined) throw new SystemError(`Monitor of ${this.id} is gone`);
		return await this.#inTime(this.#connection);
	}

	async #inTime<T>(answer: Promise<T>): Promise<T> {
		if (await settlesWithin(this.#deps.clock, PATIENCE_MS, answer)) return await answer;
		throw new SystemError(`Monitor of ${this.id} does not answer`);
	}

	async #open(): Promise<{ connection: ControlConnection; state: ShimState }> {
		const opened = await this.#deps.directory.withSocketPath((path) =>
			ControlConnection.open(path, (name, text) => this.#onEvent(name, text)),
		);
		this.#update(opened.state);
		void opened.connection.closed.then(() => this.#onClosed());
		return opened;
	}

	#onEvent(name: string, text: string): void {
		if (name === "started" || name === "exit") this.#update(parseState(text));
		else if (name === "failed") {
			this.#failed = true;
			void this.#rejectStart(text);
		} else if (name === "rotated") void this.#compressRotated();
		else if (name === "oom") for (const listener of this.#outOfMemoryListeners) listener();
		else if (name === "cut") this.#deps.logger.warn("slow attached client was cut off", { task: this.id });
	}

	async #compressRotated(): Promise<void> {
		try {
			const logPath = await this.#deps.directory.readCompressedLog();
			if (logPath === undefined) return;
			this.#compressor ??= new RotatedLogCompressor(logPath, async (inode, name) => {
				await this.#request(`compressed ${inode} ${name}`);
			});
			await this.#compressor.run();
		} catch (error) {
			if (!this.#hasEnded) this.#deps.logger.warn("rotated log was not compressed", { task: this.id, error });
		}
	}

	async #rejectStart(text: string): Promise<void> {
		const { kind, runtime, program } = this.#deps.subject;
		this.#started.reject(startError({ kind, runtime, program: await program(), text }));
	}

	#update(state: ShimState): void {
		this.#pid = state.pid;
		if (state.pid > 0) this.#started.resolve(state.pid);
		if (state.exit === undefined) return;
		if (state.droppedLogBytes > 0)
			this.#deps.logger.warn("log records were dropped", { task: this.id, bytes: state.droppedLogBytes });
		this.#settle(state.exit);
	}

	#settle(exit: TaskExit): void {
		this.#hasEnded = true;
		this.#exit.resolve(exit);
	}

	#onClosed(): void {
		this.#connection = undefined;
		if (this.#forgotten !== undefined || this.#failed || this.#hasEnded) return;
		this.#connection = this.#reconnect();
		this.#connection.catch(() => {}); // told to whoever asks next; #reconnect has settled the task
	}

	/** The connection dropped: the shim lives (try again), or it was killed (its process must not stay unwatched). */
	async #reconnect(): Promise<ControlConnection> {
		for (;;) {
			try {
				return (await this.#open()).connection;
			} catch (error) {
				const code = errnoCode(error);
				if (code === "ENOENT" || code === "ECONNREFUSED") {
					await this.#shimDied();
					throw new SystemError(`Monitor of ${this.id} is gone`, { cause: error });
				}
				this.#deps.logger.warn("monitor does not answer", { task: this.id, error });
				await delay(this.#deps.clock, RECONNECT_MS);
			}
		}
	}

	async #shimDied(): Promise<void> {
		const exit = await this.#deps.directory.readExit().catch(() => undefined);
		if (exit === undefined) {
			this.#deps.logger.error("monitor died, its process is killed", { task: this.id, pid: this.#pid });
			await killLeftover(this.#deps.directory);
		}
		await this.#rejectStart("the monitor died");
		this.#settle(exit ?? { exitCode: 137, signal: 9, oomKilled: false, finishedAt: this.#deps.clock.now() });
	}
}

/**
 * Connects, says hello and waits for the monitor's `ok`; what came after it stays in the stream. Reads by `readable`
 * events, because a stream that was paused would not flow by itself when the caller listens for data.
 */
async function openAttachment(socketPath: string, hello: string): Promise<Socket> {
	const socket = connect({ path: socketPath, allowHalfOpen: true });
	const accepted = Promise.withResolvers<void>();
	const onReadable = () => {
		const answer: Buffer | null = socket.read();
		const end = answer === null ? -1 : answer.indexOf(10);
		if (answer === null || end < 0) return; // the answer is one small write: it comes in one piece
		const text = answer.toString("utf8", 0, end);
		if (answer.length > end + 1) socket.unshift(answer.subarray(end + 1));
		if (text === "ok") accepted.resolve();
		else accepted.reject(new SystemError(`Monitor refused to attach: ${text}`));
	};
	const onEnd = () => accepted.reject(new SystemError("Monitor closed the connection"));
	socket.on("readable", onReadable).once("error", accepted.reject).once("end", onEnd);
	socket.write(hello);
	try {
		await accepted.promise;
	} catch (error) {
		socket.destroy();
		throw error;
	} finally {
		socket.off("readable", onReadable).off("error", accepted.reject).off("end", onEnd);
	}
	return socket;
}

function endedStream(): Duplex {
	return new Duplex({
		read() {
			this.push(null);
		},
		write(_chunk, _encoding, callback) {
			callback();
		},
	});
}
