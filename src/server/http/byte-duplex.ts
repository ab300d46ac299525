import { Duplex } from "node:stream";
import { CancelledError } from "../../base/errors.ts";

type Done = (error?: Error | null) => void;

/** The server's end of a hijacked connection for whoever reads by pulling: each waits for the other, nothing piles up. */
export class ByteDuplex extends Duplex {
	/** What the client sent and nobody has taken yet, one chunk: its writer goes on when it is taken. */
	#chunk: { readonly bytes: Uint8Array; readonly done: Done } | undefined;
	#isInputEnded = false;
	#wakeReader = () => {};
	#wakeWriter = () => {};

	constructor() {
		super({ allowHalfOpen: true });
		// A connection that breaks is seen by whoever reads or writes next.
		this.on("error", () => {});
		this.on("close", () => {
			this.#wakeReader();
			this.#wakeWriter();
		});
	}

	/** The next bytes from the client; undefined at their end. */
	async receive(): Promise<Uint8Array | undefined> {
		for (;;) {
			const chunk = this.#chunk;
			if (chunk !== undefined) {
				this.#chunk = undefined;
				chunk.done();
				return chunk.bytes;
			}
			if (this.#isInputEnded || this.destroyed) return undefined;
			await new Promise<void>((resolve) => {
				this.#wakeReader = resolve;
			});
		}
	}

	/** Sends to the client; waits while it is slow. @throws CancelledError when it has gone */
	async deliver(bytes: Uint8Array): Promise<void> {
		if (this.destroyed) throw new CancelledError();
		if (this.push(bytes)) return;
		await new Promise<void>((resolve) => {
			const earlier = this.#wakeWriter;
			this.#wakeWriter = () => {
				earlier();
				resolve();
			};
		});
	}

	/** Nothing more will be sent. */
	finish(): void {
		if (!this.destroyed) this.push(null);
	}

	override _read(): void {
		const wake = this.#wakeWriter;
		this.#wakeWriter = () => {};
		wake();
	}

	override _write(bytes: Uint8Array, _encoding: string, done: Done): void {
		this.#chunk = { bytes, done };
		this.#wakeReader();
	}

	override _final(done: Done): void {
		this.#isInputEnded = true;
		this.#wakeReader();
		done();
	}
}
