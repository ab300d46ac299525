/** What the threads for layers do, and the messages they are told it with. A thread unpacks several layers at once; each has a number. */
import type { Digest } from "../../base/digest.ts";
import { type ErrorKind, errorKind, errorMessage } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { AppliedLayer, LayerSource } from "../../core/diff/archiver.ts";
import type { TarIdentity } from "../../core/diff/tar-checksum.ts";
import { compressedLayer } from "./compress-layer.ts";
import { unpackLayer } from "./unpack-layer.ts";

export interface UnpackOrder {
	/** Of the content store that the re-assembly record goes to. */
	readonly contentRoot: string;
	readonly directory: string;
	readonly diffId: Digest | undefined;
	readonly tarLimitBytes: number | undefined;
}

export interface CompressOrder {
	/** Of the content store that has the re-assembly record. */
	readonly contentRoot: string;
	readonly source: LayerSource;
	readonly tar: TarIdentity;
}

/** `abort`: the source has failed, or nobody wants the rest; clean up. `taken`: as below, the other way. */
export type ToWorker = { readonly work: number } & (
	| { readonly kind: "begin"; readonly order: UnpackOrder }
	| { readonly kind: "compress"; readonly order: CompressOrder }
	| { readonly kind: "taken"; readonly count: number }
	| { readonly kind: "bytes"; readonly bytes: Uint8Array }
	| { readonly kind: "end" }
	| { readonly kind: "abort" }
);

/** `taken`: so many bytes are not on their way any more. */
export type FromWorker = { readonly work: number } & (
	| { readonly kind: "taken"; readonly count: number }
	| { readonly kind: "done"; readonly applied: AppliedLayer }
	| { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly readBytes: number }
	| { readonly kind: "compressed" }
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

/** Compressed bytes on their way to the main thread, for each layer. */
const WINDOW_BYTES = 1 << 20;

/** Compressed bytes that leave as messages, no faster than they are taken. */
class Outbox {
	#onTheWay = 0;
	#isAborted = false;
	#wake = Promise.withResolvers<void>();

	constructor(readonly post: WorkerPort["postMessage"]) {}

	/** @throws AbortError when nobody wants any more */
	async send(work: number, bytes: Uint8Array<ArrayBuffer>, readBytes: number): Promise<void> {
		this.#onTheWay += bytes.length;
		this.post({ work, kind: "bytes", bytes, readBytes }, [bytes.buffer]);
		while (this.#onTheWay > WINDOW_BYTES && !this.#isAborted) {
			await this.#wake.promise;
			this.#wake = Promise.withResolvers();
		}
		if (this.#isAborted) throw new DOMException("nobody wants the rest", "AbortError");
	}

	taken(count: number): void {
		this.#onTheWay -= count;
		this.#wake.resolve();
	}

	end(): void {
		this.#isAborted = true;
		this.#wake.resolve();
	}
}

export interface WorkerPort {
	onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
	postMessage(message: FromWorker, transfer?: ArrayBuffer[]): void;
}

/** The whole program of such a thread. */
export function serveLayerWork(port: WorkerPort, openContent: (root: string) => ContentStore): void {
	const inboxes = new Map<number, Inbox>();
	const outboxes = new Map<number, Outbox>();
	const failed = (work: number) => (error: unknown) =>
		port.postMessage({ work, kind: "failed", error: errorKind(error), message: errorMessage(error) });
	const unpack = (work: number, order: UnpackOrder) => {
		const inbox = new Inbox((count) => port.postMessage({ work, kind: "taken", count }));
		inboxes.set(work, inbox);
		void unpackLayer(openContent(order.contentRoot), inbox.bytes(), order.directory, order)
			.then((applied) => port.postMessage({ work, kind: "done", applied }), failed(work))
			.finally(() => inboxes.delete(work));
	};
	const compress = (work: number, order: CompressOrder) => {
		const outbox = new Outbox((message, transfer) => port.postMessage(message, transfer));
		outboxes.set(work, outbox);
		void sendCompressed(work, openContent(order.contentRoot), order, outbox)
			.then(() => port.postMessage({ work, kind: "compressed" }), failed(work))
			.finally(() => outboxes.delete(work));
	};
	port.onmessage = ({ data }) => {
		const inbox = inboxes.get(data.work);
		if (data.kind === "begin") unpack(data.work, data.order);
		else if (data.kind === "compress") compress(data.work, data.order);
		else if (data.kind === "bytes") inbox?.push(data.bytes);
		else if (data.kind === "taken") outboxes.get(data.work)?.taken(data.count);
		else if (data.kind === "end") inbox?.end("ended");
		else {
			inbox?.end("aborted");
			outboxes.get(data.work)?.end();
		}
	};
}

async function sendCompressed(
	work: number,
	content: ContentStore,
	{ source, tar }: CompressOrder,
	outbox: Outbox,
): Promise<void> {
	let readBytes = 0;
	const onRead = (bytes: number) => {
		readBytes = bytes;
	};
	for await (const bytes of compressedLayer(content, source, { tar, onRead }))
		await outbox.send(work, bytes, readBytes);
}
