/** A BuildKit client's session as the builder sees it: calls to what the client offers. */

/** One call of a method: messages both ways. */
export interface SessionCall {
	/**
	 * What the client sends, up to its end. Bounded: it is not read faster than it is taken.
	 * @throws the client's error, and CancelledError when it has gone
	 */
	readonly messages: AsyncIterable<Uint8Array>;
	/** Waits while the client is slow. @throws CancelledError when it has gone or has ended the call */
	send(message: Uint8Array): Promise<void>;
	/** Nothing more will be sent. */
	end(): void;
	/** Ends the call at once, whatever its state. Idempotent. */
	cancel(): void;
}

export interface SessionCaller {
	/** Stands for the client's directory in later builds, as far as the client says. */
	readonly sharedKey: string;
	/** Aborted when the client has gone. */
	readonly signal: AbortSignal;
	/** Whether the client says that it offers a method (`/package.Service/Method`). */
	offers(method: string): boolean;
	/** @throws CancelledError when the client has gone */
	call(method: string, metadata: Readonly<Record<string, string | readonly string[]>>): SessionCall;
}

/**
 * A call with one message each way.
 * @throws the client's error
 */
export async function ask(
	session: SessionCaller,
	method: string,
	request: Uint8Array,
	metadata: Parameters<SessionCaller["call"]>[1] = {},
): Promise<Uint8Array> {
	const call = session.call(method, metadata);
	try {
		await call.send(request);
		call.end();
		let answer: Uint8Array | undefined;
		for await (const message of call.messages) answer ??= Uint8Array.from(message);
		return answer ?? new Uint8Array();
	} finally {
		call.cancel();
	}
}
