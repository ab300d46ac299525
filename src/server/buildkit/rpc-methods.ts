/** Methods of a gRPC service over typed messages. */
import type { MessageType } from "../../api/buildkit/message.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { RpcCall, RpcMethod } from "../grpc/rpc-server.ts";

/** One message each way. */
export function unary<Q, A>(
	request: MessageType<Q>,
	answer: MessageType<A>,
	handle: (request: Q, call: RpcCall) => Promise<Partial<A>> | Partial<A>,
): RpcMethod {
	return async (call) => {
		const asked = request.decode(await firstMessage(call));
		await call.reply(answer.encode(await handle(asked, call)));
	};
}

/** One message, then many back. */
export function serverStream<Q>(
	request: MessageType<Q>,
	handle: (request: Q, call: RpcCall) => Promise<void>,
): RpcMethod {
	return async (call) => await handle(request.decode(await firstMessage(call)), call);
}

async function firstMessage({ requests }: RpcCall): Promise<Uint8Array> {
	for await (const message of requests) return message;
	throw new InvalidParameterError("the call has no message");
}
