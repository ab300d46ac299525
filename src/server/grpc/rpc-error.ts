/** Errors as gRPC tells them: a code, a message, and details for who knows them. */

import type { MessageOf } from "../../api/buildkit/message.ts";
import { type ANY, RPC_STATUS } from "../../api/buildkit/values.ts";
import { EngineError, type ErrorKind, errorKind, errorMessage } from "../../base/errors.ts";

export type RpcStatus = MessageOf<typeof RPC_STATUS>;
export type ErrorDetail = Partial<MessageOf<typeof ANY>>;

export const RPC_OK = 0;
const RPC_CANCELLED = 1;
export const RPC_UNKNOWN = 2;
const RPC_NOT_FOUND = 5;
const RPC_ALREADY_EXISTS = 6;
const RPC_PERMISSION_DENIED = 7;
const RPC_FAILED_PRECONDITION = 9;
const RPC_UNIMPLEMENTED = 12;
const RPC_UNAVAILABLE = 14;
const RPC_UNAUTHENTICATED = 16;

/** The codes that BuildKit's clients act upon; most failures of a build have none of their own. */
const CODES: Readonly<Record<ErrorKind, number>> = {
	"invalid-parameter": RPC_UNKNOWN,
	unauthorized: RPC_UNAUTHENTICATED,
	forbidden: RPC_PERMISSION_DENIED,
	"not-found": RPC_NOT_FOUND,
	conflict: RPC_FAILED_PRECONDITION,
	"not-modified": RPC_UNKNOWN,
	"not-implemented": RPC_UNIMPLEMENTED,
	unavailable: RPC_UNAVAILABLE,
	system: RPC_UNKNOWN,
	cancelled: RPC_CANCELLED,
};

const KINDS: Readonly<Record<number, ErrorKind>> = {
	[RPC_CANCELLED]: "cancelled",
	[RPC_NOT_FOUND]: "not-found",
	[RPC_ALREADY_EXISTS]: "conflict",
	[RPC_PERMISSION_DENIED]: "forbidden",
	[RPC_UNIMPLEMENTED]: "not-implemented",
	[RPC_UNAVAILABLE]: "unavailable",
	[RPC_UNAUTHENTICATED]: "unauthorized",
};

/** A failure that a client has told us of, to be told to it again as it was. */
export class ReturnedError extends Error {
	constructor(readonly status: RpcStatus) {
		super(status.message);
		this.name = "ReturnedError";
	}
}

export function statusOf(error: unknown, details: readonly ErrorDetail[] = []): RpcStatus {
	if (error instanceof ReturnedError) return error.status;
	return { code: CODES[errorKind(error)], message: errorMessage(error), details };
}

/** What the other side has failed with, as an error of ours. */
export function asError(code: number, message: string): EngineError {
	return new EngineError(KINDS[code] ?? "invalid-parameter", message);
}

/** Of a header: percent-encoded UTF-8, but for what is printable ASCII. */
export function encodeMessage(message: string): string {
	return message.replace(/[^ -$&-~]+/g, (part) => [...Buffer.from(part)].map(percent).join(""));
}

function percent(byte: number): string {
	return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

export function decodeMessage(text: string): string {
	const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
	return Buffer.from(bytes, "latin1").toString();
}

/** Trailers that end a call. */
export function statusTrailers(status: RpcStatus): Record<string, string> {
	return {
		"grpc-status": String(status.code),
		...(status.message === "" ? {} : { "grpc-message": encodeMessage(status.message) }),
		...(status.details.length === 0
			? {}
			: { "grpc-status-details-bin": Buffer.from(RPC_STATUS.encode(status)).toString("base64").replace(/=+$/, "") }),
	};
}
