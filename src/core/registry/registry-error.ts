/** Failures as the distribution protocol knows them: a closed set of codes, each with its words. Statuses: `registry/oci-errors.ts`. */
export const ERROR_MESSAGES = {
	BLOB_UNKNOWN: "blob unknown to registry",
	BLOB_UPLOAD_INVALID: "blob upload invalid",
	BLOB_UPLOAD_UNKNOWN: "blob upload unknown to registry",
	RANGE_INVALID: "invalid content range",
	DIGEST_INVALID: "provided digest did not match uploaded content",
	MANIFEST_BLOB_UNKNOWN: "manifest references a manifest or blob unknown to registry",
	MANIFEST_INVALID: "manifest invalid",
	MANIFEST_UNKNOWN: "manifest unknown to registry",
	NAME_INVALID: "invalid repository name",
	NAME_UNKNOWN: "repository name not known to registry",
	SIZE_INVALID: "provided length did not match content length",
	TOO_LARGE: "content is larger than this registry takes",
	URI_TOO_LONG: "too much in one request",
	PAGINATION_NUMBER_INVALID: "invalid number of results requested",
	UNAUTHORIZED: "authentication required",
	DENIED: "requested access to the resource is denied",
	UNSUPPORTED: "the operation is unsupported",
	TOOMANYREQUESTS: "too many requests",
	UNAVAILABLE: "service unavailable",
	UNKNOWN: "unknown error",
} as const;

export type ErrorCode = keyof typeof ERROR_MESSAGES;

export class RegistryError extends Error {
	constructor(
		readonly code: ErrorCode,
		message: string,
		/** What it is about, for the program at the other end. */
		readonly detail?: unknown,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.name = "RegistryError";
	}
}

export function registryError(
	code: ErrorCode,
	detail?: unknown,
	message: string = ERROR_MESSAGES[code],
	options?: ErrorOptions,
): RegistryError {
	return new RegistryError(code, message, detail, options);
}
