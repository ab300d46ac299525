import type { BuildEvent, ProgressSink, VertexLog } from "../../core/build/progress.ts";

/** Output that waits to be sent: whoever has more waits for `ready`. */
const FULL_BYTES = 256 * 1024;
/** Output beyond this is dropped, should somebody not wait. */
const LIMIT_BYTES = 4 * 1024 * 1024;
const CLIPPED = Buffer.from("[output clipped]\n");

/** Where events go. */
export interface EventReceiver {
	/** Resolves when some may be sent. @throws anything when nobody takes them any more */
	ready(): Promise<void>;
	/** @throws anything when nobody takes them any more */
	send(events: readonly BuildEvent[]): Promise<void>;
}

/**
 * Events of a build on their way to a client that may be slow: of a vertex and of a transfer only the newest state is kept, output
 * makes its step wait.
 */
export class EventQueue implements ProgressSink {
	/** Of vertices and statuses, by what they are about; logs and warnings in order. */
	#states = new Map<string, BuildEvent>();
	#lines: BuildEvent[] = [];
	#lineBytes = 0;
	#isClipped = false;
	#isClosed = false;
	#wakeSender = () => {};
	#waiting: (() => void)[] = [];
	readonly #sent: Promise<void>;

	constructor(private readonly receiver: EventReceiver) {
		this.#sent = this.#send();
	}

	emit(event: BuildEvent): void {
		if (this.#isClosed) return;
		switch (event.kind) {
			case "vertex":
				this.#states.set(event.vertex.digest, event);
				break;
			case "status":
				this.#states.set(`${event.status.vertex} ${event.status.id}`, event);
				break;
			case "log":
				this.#addLog(event.log);
				break;
			case "warning":
				this.#lines.push(event);
		}
		this.#wakeSender();
	}

	async ready(): Promise<void> {
		while (this.#lineBytes > FULL_BYTES && !this.#isClosed)
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
	}

	/** Sends what is left. @throws never; a client that has gone is seen by the build's signal */
	async close(): Promise<void> {
		this.#isClosed = true;
		this.#wakeSender();
		this.#release();
		await this.#sent;
	}

	#addLog(log: VertexLog): void {
		if (this.#lineBytes > LIMIT_BYTES) {
			if (!this.#isClipped) this.#pushLog({ ...log, data: CLIPPED });
			this.#isClipped = true;
			return;
		}
		this.#isClipped = false;
		this.#pushLog(log);
	}

	#pushLog(log: VertexLog): void {
		// A copy: the piece may be a part of a buffer that is used again.
		this.#lines.push({ kind: "log", log: { ...log, data: Uint8Array.from(log.data) } });
		this.#lineBytes += log.data.length;
	}

	async #send(): Promise<void> {
		try {
			for (;;) {
				if (this.#states.size === 0 && this.#lines.length === 0) {
					if (this.#isClosed) return;
					await new Promise<void>((resolve) => {
						this.#wakeSender = resolve;
					});
					// What is told in one go is sent in one go.
					await Promise.resolve();
					continue;
				}
				await this.receiver.ready();
				const events = [...this.#states.values(), ...this.#lines];
				this.#states = new Map();
				this.#lines = [];
				this.#lineBytes = 0;
				await this.receiver.send(events);
				this.#release();
			}
		} catch {
			// The client has gone. Its build is being cancelled; nobody must wait for it to read.
			this.#isClosed = true;
			this.#release();
		}
	}

	#release(): void {
		for (const wake of this.#waiting.splice(0)) wake();
	}
}
