/** Messages over one stream of HTTP/2, either side's. */
import { once } from "node:events";
import type { Http2Stream } from "node:http2";
import { CancelledError } from "../../base/errors.ts";
import { frameMessage, MessageDecoder } from "./message-frames.ts";

/** Up to the other side's end. Not read faster than it is taken. @throws CancelledError when the stream is cut */
export async function* receivedMessages(stream: Http2Stream): AsyncGenerator<Uint8Array> {
	const decoder = new MessageDecoder();
	try {
		for await (const piece of stream.iterator({ destroyOnReturn: false })) {
			decoder.push(piece as Uint8Array);
			for (let message = decoder.next(); message !== undefined; message = decoder.next()) yield message;
		}
	} catch (error) {
		if (isCut(error)) throw new CancelledError("the other side has gone", { cause: error });
		throw error;
	}
	decoder.finish();
}

function isCut(error: unknown): boolean {
	return (
		error instanceof Error &&
		"code" in error &&
		typeof error.code === "string" &&
		/^(?:ERR_|ECONN|EPIPE|ABORT)/.test(error.code)
	);
}

/** Waits while the other side is slow. @throws CancelledError when it has gone */
export async function sendMessage(stream: Http2Stream, message: Uint8Array): Promise<void> {
	if (stream.destroyed || stream.writableEnded) throw new CancelledError("the other side has gone");
	if (stream.write(frameMessage(message))) return;
	const closed = new AbortController();
	const onClose = () => closed.abort();
	stream.once("close", onClose);
	try {
		await once(stream, "drain", { signal: closed.signal });
	} catch (cause) {
		throw new CancelledError("the other side has gone", { cause });
	} finally {
		stream.off("close", onClose);
	}
}
