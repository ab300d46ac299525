import {
	CONTENT_INFO_REQUEST,
	CONTENT_INFO_RESPONSE,
	CONTENT_METHODS,
	CONTENT_READ_REQUEST,
	CONTENT_READ_RESPONSE,
	CONTENT_WRITE_REQUEST,
	CONTENT_WRITE_RESPONSE,
	STORE_HEADER,
	WRITE_ACTIONS,
} from "../../../api/buildkit/content.ts";
import type { MessageOf } from "../../../api/buildkit/message.ts";
import type { Digest } from "../../../base/digest.ts";
import { CancelledError, errorKind } from "../../../base/errors.ts";
import { newId } from "../../../base/ids.ts";
import { ask, type SessionCall, type SessionCaller } from "../../../core/build/buildkit/session-caller.ts";

/** Of a blob, in one message. */
const PIECE_BYTES = 512 * 1024;

/** Blobs of an OCI layout that the client has, or gets. */
export class ClientContentStore {
	readonly #headers: Readonly<Record<string, string>>;

	constructor(
		private readonly session: SessionCaller,
		/** Among the stores of the session. */
		name: string,
	) {
		this.#headers = { [STORE_HEADER]: name };
	}

	/** Undefined when it is not there. */
	async sizeBytes(digest: Digest): Promise<number | undefined> {
		try {
			const request = CONTENT_INFO_REQUEST.encode({ digest });
			const answer = await ask(this.session, CONTENT_METHODS.info, request, this.#headers);
			return CONTENT_INFO_RESPONSE.decode(answer).info?.size ?? 0;
		} catch (error) {
			if (errorKind(error) === "not-found") return undefined;
			throw error;
		}
	}

	/** @throws NotFoundError while it is read */
	async *read(digest: Digest): AsyncGenerator<Buffer> {
		const call = this.session.call(CONTENT_METHODS.read, this.#headers);
		try {
			await call.send(CONTENT_READ_REQUEST.encode({ digest }));
			call.end();
			for await (const message of call.messages) yield Buffer.from(CONTENT_READ_RESPONSE.decode(message).data);
		} finally {
			call.cancel();
		}
	}

	/** A blob to be written, or undefined when the client has it. */
	async begin(digest: Digest, sizeBytes: number): Promise<BlobUpload | undefined> {
		if ((await this.sizeBytes(digest)) !== undefined) return undefined;
		return new BlobUpload(this.session.call(CONTENT_METHODS.write, this.#headers), { digest, sizeBytes });
	}
}

type WriteRequest = MessageOf<typeof CONTENT_WRITE_REQUEST>;

export class BlobUpload {
	readonly #answers: AsyncIterator<Uint8Array>;
	readonly #ref = newId();
	#offset = 0;

	constructor(
		private readonly call: SessionCall,
		private readonly blob: { readonly digest: Digest; readonly sizeBytes: number },
	) {
		this.#answers = call.messages[Symbol.asyncIterator]();
	}

	async write(data: Uint8Array): Promise<void> {
		for (let at = 0; at < data.length; at += PIECE_BYTES) {
			const piece = data.subarray(at, at + PIECE_BYTES);
			await this.#say({ action: WRITE_ACTIONS.write, offset: this.#offset, data: piece });
			this.#offset += piece.length;
		}
	}

	async commit(): Promise<void> {
		try {
			await this.#say({ action: WRITE_ACTIONS.commit, offset: this.#offset });
			this.call.end();
		} catch (error) {
			// Somebody else has written the same blob meanwhile.
			if (errorKind(error) !== "conflict") throw error;
		} finally {
			this.call.cancel();
		}
	}

	cancel(): void {
		this.call.cancel();
	}

	/** @throws what the client answers */
	async #say(request: Partial<WriteRequest>): Promise<void> {
		const { digest, sizeBytes } = this.blob;
		await this.call.send(
			CONTENT_WRITE_REQUEST.encode({ ref: this.#ref, total: sizeBytes, expected: digest, ...request }),
		);
		const { done, value } = await this.#answers.next();
		if (done === true) throw new CancelledError("the client ended the writing of a blob");
		CONTENT_WRITE_RESPONSE.decode(value);
	}
}
