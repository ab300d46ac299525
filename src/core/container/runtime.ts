import type { Duplex } from "node:stream";
import type { PortMapping, PortRelay } from "../network/driver.ts";

/** Where the monitor writes what the container prints. Written by the monitor itself, so logging outlives the daemon. */
export type LogSink =
	| { readonly kind: "none" }
	| {
			readonly kind: "json-file" | "local";
			/** Current file; older ones are `<path>.1` (newest) … `<path>.<maxFiles-1>`. */
			readonly path: string;
			/** Rotate when the current file would pass this size. 0: never. */
			readonly maxSizeBytes: number;
			/** How many files are kept, the current one included. */
			readonly maxFiles: number;
			/** Rotated files are gzipped (`<path>.<n>.gz`) by the daemon, not by the monitor. */
			readonly compress: boolean;
			/** json-file `attrs`: labels, env and tag chosen by log options. */
			readonly attributes?: Readonly<Record<string, string>>;
	  };

export interface TaskRequest {
	/** Container ID for a container's first process, exec ID for an exec. */
	readonly id: string;
	/** OCI runtime binary (absolute) and the arguments that go before its command. */
	readonly runtime: RuntimeBinary;
	readonly terminal: boolean;
	/** A container's `config.json` must have it, too (`process.consoleSize`): its process may look before the monitor is there. */
	readonly consoleSize?: { readonly width: number; readonly height: number };
	/** Keep a stdin pipe open for attached clients. Without it the process reads /dev/null. */
	readonly openStdin: boolean;
	/** Close stdin when the first client that sent stdin goes away or half-closes. */
	readonly stdinOnce: boolean;
	/** Host uid and gid that own the stdio pipes, so that the process may open /dev/stdout again. Default: root. */
	readonly streamOwner?: { readonly uid: number; readonly gid: number };
	readonly log: LogSink;
}

export interface ContainerTaskRequest extends TaskRequest {
	/** Bundle directory; `config.json` is already in it. */
	readonly bundle: string;
	/** cgroup directories to read out-of-memory counts from; empty when unknown. Absolute. */
	readonly memoryCgroup?: string;
	readonly relays: readonly PortRelay[];
}

export interface ExecTaskRequest extends TaskRequest {
	readonly containerId: string;
	/** OCI `process` object, already JSON-encodable. */
	readonly process: unknown;
}

export interface RuntimeBinary {
	readonly name: string;
	readonly path: string;
	readonly args: readonly string[];
}

export interface TaskExit {
	/** 0–255; 128+n when signal n ended it. */
	readonly exitCode: number;
	/** Number of the signal that ended it. */
	readonly signal?: number;
	readonly oomKilled: boolean;
	/** Milliseconds since the epoch. */
	readonly finishedAt: number;
}

export interface AttachOptions {
	readonly stdin: boolean;
	readonly stdout: boolean;
	readonly stderr: boolean;
}

/** A process's root directory, held open. */
export interface ProcessRoot {
	/** Leads there while it is open. */
	readonly path: string;
	close(): void;
}

/**
 * One monitored process: a container's first process or an exec. Handles survive neither the daemon nor `forget`;
 * the monitor behind them survives both. All methods may be called at any time after `launch` or `adopt`.
 */
export interface Task {
	readonly id: string;
	/** Process ID on the host; 0 until `start` has resolved. */
	readonly pid: number;
	/**
	 * Runs the OCI runtime. Resolves with the host pid when the process runs.
	 * @throws TaskStartError with the runtime's own message; the monitor is gone afterwards.
	 */
	start(): Promise<number>;
	/**
	 * A duplex connection to the monitor: reading gives output (multiplexed frames of the Engine API, raw bytes when `terminal`),
	 * writing feeds stdin, ending the writing side half-closes. Attach before `start` to miss nothing.
	 * The stream ends after the last output byte of an ended process.
	 */
	attach(options: AttachOptions): Promise<Duplex>;
	resize(width: number, height: number): Promise<void>;
	/** @throws ConflictError when the process has ended. */
	kill(signal: number): Promise<void>;
	/**
	 * The monitor binds a host port and holds it for the container, as it does with those it was started with. One that it has
	 * already only leads elsewhere from then on.
	 * @throws ConflictError the port is taken, or the process has ended; NotImplementedError the monitor is of an older version
	 */
	publish(mapping: PortMapping, containerAddress: string): Promise<void>;
	/** Lets it go; open connections go on. Idempotent. */
	unpublish(mapping: PortMapping): Promise<void>;
	/** The root as the process sees it, its mounts included. Undefined when it has ended: its pid may be another's by now. */
	openRoot(): Promise<ProcessRoot | undefined>;
	/** Settles once, when the process has ended and its exit is on disk. Never rejects. */
	readonly exited: Promise<TaskExit>;
	/** Called for each out-of-memory kill seen while the task runs. */
	onOutOfMemory(listener: () => void): void;
	/** Tells the monitor that its exit was recorded: it drains its clients, removes its directory and ends. Idempotent. */
	forget(): Promise<void>;
}

/** Why a process could not be started, as the OCI runtime or the monitor said it. */
export type TaskStartFailure = "not-found" | "not-executable" | "other";

/** What the monitor's directory tells of a task after the daemon was away. */
export type AdoptedTask =
	| { readonly kind: "running"; readonly task: Task }
	/** Ended while nobody watched; the exit file was there. `task` still serves `forget`. */
	| { readonly kind: "exited"; readonly exit: TaskExit; readonly task: Task }
	/** The monitor never started the process, or died with it (host restart): nothing is known. */
	| { readonly kind: "lost" };

/** Runs OCI containers under monitors that outlive the daemon. */
export interface ContainerRuntime {
	/** A hint that a process will probably be started within milliseconds. Returns at once and promises nothing. */
	expectStart(): void;
	/** Starts a monitor for a container. Nothing of the container runs before `start`. */
	launch(request: ContainerTaskRequest): Promise<Task>;
	/** Starts a monitor for an exec in a running container. */
	launchExec(request: ExecTaskRequest): Promise<Task>;
	/** Finds the monitor of `id` again. Cleans up what a lost one left. */
	adopt(id: string): Promise<AdoptedTask>;
	/** IDs that have a monitor directory, for finding leftovers. */
	list(): Promise<string[]>;
	/** `<runtime> delete --force`: removes the runtime's own state and cgroups. Idempotent. */
	delete(runtime: RuntimeBinary, containerId: string): Promise<void>;
	pause(runtime: RuntimeBinary, containerId: string): Promise<void>;
	resume(runtime: RuntimeBinary, containerId: string): Promise<void>;
	/** @param resources OCI `linux.resources`. */
	update(runtime: RuntimeBinary, containerId: string, resources: unknown): Promise<void>;
}
