import type { Socket } from "node:net";
import type { Logger } from "../../base/logger.ts";
import { errorDetails } from "../../core/build/buildkit/solve-error.ts";
import { SolveFailure } from "../../engine/build/buildkit/solve-failure.ts";
import type { BuildKitBackend } from "../backends.ts";
import { RpcClient, type SessionHead } from "../grpc/rpc-client.ts";
import { type RpcStatus, statusOf } from "../grpc/rpc-error.ts";
import { RpcServer } from "../grpc/rpc-server.ts";
import { bridgeMethods } from "./bridge-service.ts";
import { controlMethods } from "./control-service.ts";

/** BuildKit's API on connections that clients have upgraded. */
export class BuildKitServer {
	readonly #rpc: RpcServer;

	constructor(
		private readonly backend: BuildKitBackend,
		logger: Logger,
	) {
		const methods = new Map([...controlMethods(backend), ...bridgeMethods(backend)]);
		this.#rpc = new RpcServer({ methods, logger, toStatus });
	}

	/** A client's calls. */
	serve(socket: Socket): void {
		this.#rpc.take(socket);
	}

	/** A client's session: here we are who calls. */
	attach(id: string, socket: Socket, head: SessionHead): void {
		this.backend.attachSession(id, new RpcClient(socket, head));
	}
}

function toStatus(error: unknown): RpcStatus {
	if (!(error instanceof SolveFailure)) return statusOf(error);
	const status = statusOf(error.cause, errorDetails(error.cause, error.source));
	return { ...status, message: error.message };
}
