/** The only place where kinds of errors become HTTP statuses. */
import { type ErrorKind, errorKind, errorMessage } from "../base/errors.ts";
import type { ProtocolError, ProtocolFault } from "./http/protocol-error.ts";
import { empty, json, type Reply } from "./http/reply.ts";

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
	"invalid-parameter": 400,
	unauthorized: 401,
	forbidden: 403,
	"not-found": 404,
	conflict: 409,
	"not-modified": 304,
	"not-implemented": 501,
	unavailable: 503,
	system: 500,
	// Nobody reads it; in the log it tells the requests whose clients left.
	cancelled: 499,
};

const STATUS_OF_FAULT: Readonly<Record<ProtocolFault, number>> = {
	"bad-request": 400,
	"headers-too-large": 431,
	"unsupported-encoding": 501,
};

export function statusOf(error: unknown): number {
	return STATUS_OF_KIND[errorKind(error)];
}

export function errorReply(error: unknown): Reply {
	const status = statusOf(error);
	return status === 304 ? empty(304) : json({ message: errorMessage(error) }, status);
}

export function protocolErrorStatus(error: ProtocolError): number {
	return STATUS_OF_FAULT[error.fault];
}
