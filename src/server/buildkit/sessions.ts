/** Sessions of clients, on connections of their own or through a call. */
import { Duplex } from "node:stream";
import { BYTES_MESSAGE } from "../../api/buildkit/values.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { BuildKitBackend } from "../backends.ts";
import { RpcClient } from "../grpc/rpc-client.ts";
import type { RpcCall } from "../grpc/rpc-server.ts";

const HEADER = "x-docker-expose-session-";

/** @throws InvalidParameterError for a session without an ID */
export function checkSession(headers: ReadonlyMap<string, string>): string {
	const id = headers.get(`${HEADER}uuid`) ?? "";
	if (id === "") throw new InvalidParameterError("the session has no ID");
	return id;
}

/** @param connection on which the client answers calls of ours; ours from now on */
export function attachSession(
	backend: BuildKitBackend,
	headers: ReadonlyMap<string, string>,
	connection: Duplex,
): RpcClient {
	const methods = headers.get(`${HEADER}grpc-method`)?.toLowerCase().split(/,\s*/);
	const client = new RpcClient(connection, {
		sharedKey: headers.get(`${HEADER}sharedkey`) ?? "",
		methods: methods && new Set(methods),
	});
	backend.attachSession(checkSession(headers), client);
	return client;
}

/** `Control.Session`: the session's bytes go through the call, until either side ends it. */
export async function serveSession(backend: BuildKitBackend, call: RpcCall): Promise<void> {
	checkSession(call.metadata);
	const connection = new CallConnection(call);
	attachSession(backend, call.metadata, connection);
	await connection.ended;
}

/** The bytes of a call's messages, as a connection. */
class CallConnection extends Duplex {
	readonly ended = new Promise<void>((resolve) => this.once("close", resolve));
	readonly #messages: AsyncIterator<Uint8Array>;

	constructor(private readonly call: RpcCall) {
		super({ allowHalfOpen: false });
		this.#messages = call.requests[Symbol.asyncIterator]();
		call.signal.addEventListener("abort", () => this.destroy(), { once: true });
		// A connection that breaks is seen by its close.
		this.on("error", () => {});
	}

	override _read(): void {
		this.#messages.next().then(
			({ done, value }) => this.push(done === true ? null : Buffer.from(BYTES_MESSAGE.decode(value).data)),
			(error: Error) => this.destroy(error),
		);
	}

	override _write(data: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
		this.call.reply(BYTES_MESSAGE.encode({ data })).then(
			() => done(),
			(error: Error) => done(error),
		);
	}
}
