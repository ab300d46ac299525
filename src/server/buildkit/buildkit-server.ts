import type { Socket } from "node:net";
import type { Logger } from "../../base/logger.ts";
import { errorDetails } from "../../core/build/buildkit/solve-error.ts";
import { SolveFailure } from "../../engine/build/buildkit/solve-failure.ts";
import type { BuildKitBackend } from "../backends.ts";
import { ReturnedError, RPC_UNKNOWN, type RpcStatus, statusOf } from "../grpc/rpc-error.ts";
import { RpcServer } from "../grpc/rpc-server.ts";
import { UpgradedSocket } from "../grpc/upgraded-socket.ts";
import { bridgeMethods } from "./bridge-service.ts";
import { controlMethods } from "./control-service.ts";
import { attachSession } from "./sessions.ts";

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
		this.#rpc.take(new UpgradedSocket(socket));
	}

	/** A client's session: here we are who calls. */
	attach(headers: ReadonlyMap<string, string>, socket: Socket): void {
		attachSession(this.backend, headers, new UpgradedSocket(socket));
	}
}

function toStatus(error: unknown): RpcStatus {
	if (!(error instanceof SolveFailure)) return statusOf(error);
	const status = statusOf(error.cause, errorDetails(error.cause, error.source));
	// Clients put a code's name before the message: of what is wrong with a build it tells nothing.
	const isTold = error.kind === "cancelled" || error.kind === "not-implemented" || error.cause instanceof ReturnedError;
	return { ...status, code: isTold ? status.code : RPC_UNKNOWN, message: error.message };
}
