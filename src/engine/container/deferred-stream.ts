import { Duplex } from "node:stream";

/**
 * The stream of a client that attached before there was a process: writes wait, reads give nothing, until `connect`.
 * Then both directions run through with the other side's pace. Half-closes are passed on either way.
 */
export class DeferredStream extends Duplex {
	#inner: Duplex | undefined;
	#waiting: (() => void) | undefined;

	constructor() {
		super({ allowHalfOpen: true });
	}

	/** @param inner owned by this stream from now on */
	connect(inner: Duplex): void {
		// Whatever happens to the connection after the client has gone is nobody's business any more.
		inner.on("error", (error) => this.destroy(error));
		if (this.destroyed) {
			inner.destroy();
			return;
		}
		this.#inner = inner;
		inner.on("data", (chunk: Buffer) => {
			if (!this.push(chunk)) inner.pause();
		});
		inner.on("end", () => this.push(null));
		inner.on("close", () => {
			if (!inner.readableEnded) this.push(null);
		});
		const waiting = this.#waiting;
		this.#waiting = undefined;
		waiting?.();
	}

	/** There will be no process: the client sees the end of the output. */
	abandon(): void {
		if (this.#inner === undefined) this.push(null);
	}

	override _read(): void {
		this.#inner?.resume();
	}

	override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
		this.#whenConnected((inner) => {
			// A process that no longer reads is no error of the client.
			if (inner.destroyed || inner.writableEnded) done();
			else if (inner.write(chunk)) done();
			else onceDrainedOrClosed(inner, done);
		});
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#whenConnected((inner) => {
			inner.end();
			done();
		});
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.#waiting = undefined;
		this.#inner?.destroy();
		done(error);
	}

	#whenConnected(action: (inner: Duplex) => void): void {
		const inner = this.#inner;
		if (inner !== undefined) action(inner);
		else
			this.#waiting = () => {
				if (this.#inner !== undefined) action(this.#inner);
			};
	}
}

function onceDrainedOrClosed(stream: Duplex, done: () => void): void {
	const finish = () => {
		stream.off("drain", finish);
		stream.off("close", finish);
		done();
	};
	stream.on("drain", finish);
	stream.on("close", finish);
}
