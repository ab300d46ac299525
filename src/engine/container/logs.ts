import { finished, type Readable } from "node:stream";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import { isRunning } from "../../core/container/state.ts";
import type { LogReader } from "../../core/log/log-reader.ts";
import type { LogsOptions } from "../../core/log/logs-options.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { ContainerWaits } from "./waits.ts";

export interface ContainerLogsDependencies {
	readonly reader: LogReader;
	readonly waits: ContainerWaits;
	readonly background: BackgroundWork;
}

/** Reads containers' logs back; following one ends with the run. */
export class ContainerLogs {
	readonly #deps: ContainerLogsDependencies;

	constructor(deps: ContainerLogsDependencies) {
		this.#deps = deps;
	}

	/** @throws NotImplementedError for a driver that cannot be read, InvalidParameterError */
	async read(record: ContainerRecord, options: LogsOptions, signal: AbortSignal): Promise<Readable> {
		const ended = new AbortController();
		const closed = new AbortController();
		const running = isRunning(record.lifecycle);
		const exit =
			options.follow && running ? this.#deps.waits.register(record.id, "next-exit", closed.signal) : undefined;
		// The last of the output is written while the end is being cleaned up.
		const settled = this.#deps.background.settled(record.id);
		if (!running) await settled;
		const stream = this.#deps.reader.read(sourceOf(record), {
			...options,
			follow: options.follow && running,
			terminal: record.config.Tty === true,
			ended: ended.signal,
		});
		void exit?.then(async () => {
			await this.#deps.background.settled(record.id);
			ended.abort();
		});
		const onAbort = () => stream.destroy();
		signal.addEventListener("abort", onAbort, { once: true });
		finished(stream, { writable: false }, () => {
			closed.abort();
			signal.removeEventListener("abort", onAbort);
		});
		return stream;
	}

	/** What has been printed so far, for `attach?logs=1`. */
	async replay(
		record: ContainerRecord,
		streams: { readonly stdout: boolean; readonly stderr: boolean },
	): Promise<Readable> {
		return this.#deps.reader.read(sourceOf(record), {
			...streams,
			follow: false,
			timestamps: false,
			details: false,
			terminal: record.config.Tty === true,
		});
	}
}

function sourceOf(record: ContainerRecord): { readonly driver: string; readonly path: string } {
	return { driver: record.hostConfig.LogConfig?.Type ?? "none", path: record.logPath };
}
