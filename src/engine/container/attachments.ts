import type { Duplex } from "node:stream";
import type { AttachOptions, Task } from "../../core/container/runtime.ts";
import { DeferredStream } from "./deferred-stream.ts";

interface Pending {
	readonly options: AttachOptions;
	readonly stream: DeferredStream;
}

/** Clients that attached to a container that does not run: they get their stream at once and are connected at its next start. */
export class PendingAttachments {
	readonly #pending = new Map<string, Set<Pending>>();

	add(id: string, options: AttachOptions): Duplex {
		const stream = new DeferredStream();
		const entry: Pending = { options, stream };
		const entries = this.#pending.get(id) ?? new Set();
		entries.add(entry);
		this.#pending.set(id, entries);
		stream.once("close", () => this.#drop(id, entry));
		return stream;
	}

	has(id: string): boolean {
		return this.#pending.has(id);
	}

	/** Between launch and start of the task, so that its first byte is seen. */
	async connect(id: string, task: Task): Promise<void> {
		const entries = [...(this.#pending.get(id) ?? [])];
		this.#pending.delete(id);
		await Promise.all(entries.map(async ({ options, stream }) => stream.connect(await task.attach(options))));
	}

	/** The start failed or the container is removed: the clients see the end. */
	abandon(id: string): void {
		const entries = [...(this.#pending.get(id) ?? [])];
		this.#pending.delete(id);
		for (const { stream } of entries) stream.abandon();
	}

	#drop(id: string, entry: Pending): void {
		const entries = this.#pending.get(id);
		entries?.delete(entry);
		if (entries?.size === 0) this.#pending.delete(id);
	}
}
