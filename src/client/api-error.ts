import { EngineError, type ErrorKind } from "../base/errors.ts";

const KINDS: Readonly<Record<number, ErrorKind>> = {
	304: "not-modified",
	400: "invalid-parameter",
	401: "unauthorized",
	403: "forbidden",
	404: "not-found",
	409: "conflict",
	501: "not-implemented",
	503: "unavailable",
};

/** The daemon answered with an error; `message` is its own text. */
export class ApiError extends EngineError {
	constructor(
		readonly status: number,
		message: string,
	) {
		super(KINDS[status] ?? "system", message);
	}
}

/** The daemon could not be reached at all. */
export class ConnectionError extends EngineError {
	constructor(
		readonly host: string,
		readonly code: string,
		options?: ErrorOptions,
	) {
		super("unavailable", connectionMessage(host, code, options?.cause), options);
	}
}

function connectionMessage(host: string, code: string, cause: unknown): string {
	if (code === "EACCES" || code === "EPERM")
		return `permission denied while trying to connect to the Gantry daemon socket at ${host}`;
	if (code === "ENOENT" || code === "ECONNREFUSED" || !(cause instanceof Error))
		return `Cannot connect to the Gantry daemon at ${host}. Is the gantry daemon running?`;
	return `Cannot connect to the Gantry daemon at ${host}: ${cause.message}`;
}
