/** The protocol's errors as answers. The only place that knows their statuses. */
import { type ErrorKind, errorKind, errorMessage } from "../base/errors.ts";
import { type ErrorCode, RegistryError } from "../core/registry/registry-error.ts";

const STATUS: Readonly<Record<ErrorCode, number>> = {
	BLOB_UNKNOWN: 404,
	BLOB_UPLOAD_INVALID: 400,
	BLOB_UPLOAD_UNKNOWN: 404,
	RANGE_INVALID: 416,
	DIGEST_INVALID: 400,
	MANIFEST_BLOB_UNKNOWN: 400,
	MANIFEST_INVALID: 400,
	MANIFEST_UNKNOWN: 404,
	NAME_INVALID: 400,
	NAME_UNKNOWN: 404,
	SIZE_INVALID: 400,
	TOO_LARGE: 413,
	URI_TOO_LONG: 414,
	PAGINATION_NUMBER_INVALID: 400,
	UNAUTHORIZED: 401,
	DENIED: 403,
	UNSUPPORTED: 405,
	TOOMANYREQUESTS: 429,
	UNAVAILABLE: 503,
	UNKNOWN: 500,
};

/** The protocol has no words of its own for these. */
const WIRE_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
	TOO_LARGE: "SIZE_INVALID",
	URI_TOO_LONG: "UNSUPPORTED",
};

/** Of failures that are none of the protocol's; the log tells more. */
const MESSAGE: Readonly<Partial<Record<ErrorCode, string>>> = {
	UNAVAILABLE: "what is behind this registry cannot be reached",
};

const CODE_OF_KIND: Readonly<Partial<Record<ErrorKind, ErrorCode>>> = { unavailable: "UNAVAILABLE" };

export function statusOf(error: unknown): number {
	return STATUS[codeOf(error)];
}

export function codeOf(error: unknown): ErrorCode {
	return error instanceof RegistryError ? error.code : (CODE_OF_KIND[errorKind(error)] ?? "UNKNOWN");
}

/** The inner workings of a failure of ours go to the log, not over the wire. */
export function errorResponse(error: unknown, headers: Readonly<Record<string, string>> = {}): Response {
	const code = codeOf(error);
	const known = error instanceof RegistryError;
	const entry = {
		code: WIRE_CODE[code] ?? code,
		message: known ? errorMessage(error) : (MESSAGE[code] ?? "unknown error"),
		...(known && error.detail !== undefined ? { detail: error.detail } : {}),
	};
	return Response.json({ errors: [entry] }, { status: STATUS[code], headers });
}
