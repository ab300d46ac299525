import { closeSync, constants, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { TaskExit } from "../../core/container/runtime.ts";
import { parseExitFile } from "./shim-protocol.ts";

/** `sun_path` of unix(7) without its terminating NUL. */
const SOCKET_PATH_MAX = 107;

export type SpecRecord = readonly [key: string, value: string | number | boolean];

/**
 * The specification file: NUL-terminated `key=value` records.
 * @throws InvalidParameterError when a value holds a NUL.
 */
export function encodeSpec(records: readonly SpecRecord[]): string {
	return records
		.map(([key, value]) => {
			const text = typeof value === "boolean" ? String(Number(value)) : String(value);
			if (text.includes("\0")) throw new InvalidParameterError(`${key} must not contain a NUL character`);
			return `${key}=${text}\0`;
		})
		.join("");
}

/**
 * A shim's directory:
 *
 *     <exec-root>/shim/<id>/
 *       spec           what the shim was asked to do, written before it is started
 *       process.json   OCI process of an exec
 *       socket         control and attach connections
 *       pid            "<pid> <start time>" of the monitored process
 *       exit           code, signal, oom, finished; there before anyone is told
 *       runtime.log    the OCI runtime's own messages
 */
export class ShimDirectory {
	constructor(
		readonly root: string,
		readonly id: string,
	) {
		if (!isTaskId(id)) throw new InvalidParameterError(`invalid task ID: ${id}`);
	}

	get path(): string {
		return join(this.root, this.id);
	}

	/**
	 * Makes the directory and writes the specification. Synchronous: in memory this takes some ten microseconds, a
	 * tenth of what three trips through the thread pool cost.
	 * @throws SystemError when there is one already, or it can't be written (nothing is left then).
	 */
	create(spec: string, process?: unknown): void {
		try {
			mkdirSync(this.root, { mode: 0o700, recursive: true });
			mkdirSync(this.path, { mode: 0o700 });
		} catch (error) {
			throw new SystemError(`Can't create the monitor's directory ${this.path}`, { cause: error });
		}
		try {
			if (process !== undefined)
				writeFileSync(join(this.path, "process.json"), JSON.stringify(process), { mode: 0o600 });
			writeFileSync(join(this.path, "spec"), spec, { mode: 0o600 });
		} catch (error) {
			rmSync(this.path, { recursive: true, force: true });
			throw new SystemError(`Can't write the monitor's specification in ${this.path}`, { cause: error });
		}
	}

	/** Undefined until the process has ended. */
	async readExit(): Promise<TaskExit | undefined> {
		const text = await this.#read("exit");
		return text === undefined ? undefined : parseExitFile(text);
	}

	/** Host pid and start time of the process, undefined before it was started. */
	async readPid(): Promise<{ readonly pid: number; readonly startTime: string } | undefined> {
		const [pid = "", startTime = ""] = (await this.#read("pid"))?.trim().split(" ") ?? [];
		return pid === "" ? undefined : { pid: Number(pid), startTime };
	}

	/** Path of the log whose rotated files the daemon is to compress; undefined when it has no such log. */
	async readCompressedLog(): Promise<string | undefined> {
		const records = (await this.#read("spec"))?.split("\0") ?? [];
		if (!records.includes("log-compress=1")) return undefined;
		return records.find((record) => record.startsWith("log-path="))?.slice("log-path=".length);
	}

	async #read(name: string): Promise<string | undefined> {
		try {
			return await readFile(join(this.path, name), "utf8");
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return undefined;
			throw new SystemError(`Can't read ${join(this.path, name)}`, { cause: error });
		}
	}

	async remove(): Promise<void> {
		await rm(this.path, { recursive: true, force: true });
	}

	/**
	 * Runs `connectTo` with a path to the socket that fits into a socket address: through a descriptor of the
	 * directory when the real one is too long.
	 */
	async withSocketPath<T>(connectTo: (socketPath: string) => Promise<T>): Promise<T> {
		const socketPath = join(this.path, "socket");
		if (Buffer.byteLength(socketPath) <= SOCKET_PATH_MAX) return await connectTo(socketPath);
		const directory = openSync(this.path, constants.O_RDONLY | constants.O_DIRECTORY);
		try {
			return await connectTo(`/proc/self/fd/${directory}/socket`);
		} finally {
			closeSync(directory);
		}
	}
}

function isTaskId(text: string): boolean {
	return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/.test(text);
}

/** IDs that have a directory. What else may lie there is nobody's task. */
export async function listShimDirectories(root: string): Promise<string[]> {
	try {
		const entries = await readdir(root, { withFileTypes: true });
		return entries.flatMap((entry) => (entry.isDirectory() && isTaskId(entry.name) ? [entry.name] : []));
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return [];
		throw new SystemError(`Can't read ${root}`, { cause: error });
	}
}
