/** What the threads for layers do, and the messages they are told it with. A thread unpacks several layers at once; each has a number. */
import type { Digest } from "../../base/digest.ts";
import { type ErrorKind, errorKind, errorMessage } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { AppliedLayer } from "../../core/diff/archiver.ts";
import { unpackLayer } from "./unpack-layer.ts";

export interface UnpackOrder {
	/** Of the content store that the re-assembly record goes to. */
	readonly contentRoot: string;
	readonly directory: string;
	readonly diffId: Digest | undefined;
	readonly tarLimitBytes: number | undefined;
}

/** `abort`: the source has failed; clean up. */
export type ToWorker = { readonly work: number } & (
	| { readonly kind: "begin"; readonly order: UnpackOrder }
	| { readonly kind: "bytes"; readonly bytes: Uint8Array }
	| { readonly kind: "end" }
	| { readonly kind: "abort" }
);

/** `taken`: so many bytes are not on their way any more. */
export type FromWorker = { readonly work: number } & (
	| { readonly kind: "taken"; readonly count: number }
	| { readonly kind: "done"; readonly applied: AppliedLayer }
	| { readonly kind: "failed"; readonly error: ErrorKind; readonly message: string }
);

/** Bytes that arrive as messages, read as a stream. */
class Inbox {
	readonly #chunks: Uint8Array[] = [];
	#state: "open" | "ended" | "aborted" = "open";
	#wake = Promise.withResolvers<void>();

	constructor(readonly onTaken: (count: number) => void) {}

	push(bytes: Uint8Array): void {
		this.#chunks.push(bytes);
		this.#wake.resolve();
	}

	end(state: "ended" | "aborted"): void {
		this.#state = state;
		this.#wake.resolve();
	}

	/** @throws AbortError when the sender gave up */
	async *bytes(): AsyncGenerator<Uint8Array> {
		for (;;) {
			if (this.#state === "aborted") throw new DOMException("the sender gave up", "AbortError");
			const chunk = this.#chunks.shift();
			if (chunk !== undefined) {
				this.onTaken(chunk.length);
				yield chunk;
			} else if (this.#state === "ended") return;
			else {
				await this.#wake.promise;
				this.#wake = Promise.withResolvers();
			}
		}
	}
}

export interface WorkerPort {
	onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
	postMessage(message: FromWorker): void;
}

/** The whole program of such a thread. */
export function serveLayerWork(port: WorkerPort, openContent: (root: string) => ContentStore): void {
	const inboxes = new Map<number, Inbox>();
	const begin = (work: number, order: UnpackOrder) => {
		const inbox = new Inbox((count) => port.postMessage({ work, kind: "taken", count }));
		inboxes.set(work, inbox);
		void unpackLayer(openContent(order.contentRoot), inbox.bytes(), order.directory, order)
			.then(
				(applied) => port.postMessage({ work, kind: "done", applied }),
				(error: unknown) =>
					port.postMessage({ work, kind: "failed", error: errorKind(error), message: errorMessage(error) }),
			)
			.finally(() => inboxes.delete(work));
	};
	port.onmessage = ({ data }) => {
		const inbox = inboxes.get(data.work);
		if (data.kind === "begin") begin(data.work, data.order);
		else if (data.kind === "bytes") inbox?.push(data.bytes);
		else inbox?.end(data.kind === "end" ? "ended" : "aborted");
	};
}
