import { EngineError, type ErrorKind } from "../../base/errors.ts";

/** Codes of the distribution specification, "Error Codes"; others pass as they are. */
export type RemoteErrorCode =
	| "DENIED"
	| "UNAUTHORIZED"
	| "MANIFEST_UNKNOWN"
	| "NAME_UNKNOWN"
	| "BLOB_UNKNOWN"
	| (string & {});

export interface RemoteFailure {
	/** HTTP status; 0 when there was no answer. */
	readonly status: number;
	/** The first error of the answer's body; undefined when it has none. */
	readonly code?: RemoteErrorCode | undefined;
	/** Whether another attempt might do. */
	readonly isTransient: boolean;
	/** Nobody was there to talk to. */
	readonly isUnreachable?: boolean;
	/** What the registry asks to wait before that. */
	readonly retryAfterMs?: number | undefined;
}

/** A registry refused, failed, or could not be reached. */
export class RemoteError extends EngineError {
	constructor(
		message: string,
		readonly failure: RemoteFailure,
		options?: ErrorOptions,
	) {
		super(kindOf(failure), message, options);
	}
}

function kindOf({ status, code }: RemoteFailure): ErrorKind {
	if (status === 401 || code === "UNAUTHORIZED") return "unauthorized";
	if (status === 404 || code === "DENIED" || code === "MANIFEST_UNKNOWN" || code === "NAME_UNKNOWN") return "not-found";
	return status === 403 ? "forbidden" : "system";
}

interface ErrorBody {
	readonly errors?: readonly { readonly code?: unknown; readonly message?: unknown; readonly detail?: unknown }[];
	readonly details?: unknown;
	readonly message?: unknown;
}

const MESSAGE_LIMIT = 300;

/** Words that registries leave out because the code says them. */
const DEFAULT_MESSAGES: Readonly<Record<string, string>> = {
	DENIED: "requested access to the resource is denied",
	UNAUTHORIZED: "authentication required",
	MANIFEST_UNKNOWN: "manifest unknown",
	NAME_UNKNOWN: "repository name not known to registry",
	BLOB_UNKNOWN: "blob unknown to registry",
	TOOMANYREQUESTS: "too many requests",
};

/** What an unsuccessful answer says: the specification's `errors`, or the oldest form of token servers, `details`. */
export function describeAnswer(
	status: number,
	body: string,
): { readonly code: RemoteErrorCode | undefined; readonly message: string } {
	const { errors, details } = parseBody(body);
	const [first] = errors ?? [];
	if (typeof first?.code === "string") {
		const message = typeof first.message === "string" && first.message !== "" ? first.message : "";
		const text = (message || DEFAULT_MESSAGES[first.code]) ?? "unknown error";
		return { code: first.code, message: `${first.code.toLowerCase().replaceAll("_", " ")}: ${clip(text)}` };
	}
	const code = CODE_OF_STATUS[status];
	const text = typeof details === "string" ? clip(details) : DEFAULT_MESSAGES[code ?? ""];
	if (code !== undefined) return { code, message: `${code.toLowerCase().replaceAll("_", " ")}: ${text ?? code}` };
	return { code: undefined, message: `received unexpected HTTP status: ${status}` };
}

const CODE_OF_STATUS: Readonly<Record<number, RemoteErrorCode>> = {
	401: "UNAUTHORIZED",
	403: "DENIED",
	429: "TOOMANYREQUESTS",
};

function parseBody(text: string): ErrorBody {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value !== "object" || value === null) return {};
		const { errors } = value as ErrorBody;
		return { ...value, ...(Array.isArray(errors) ? {} : { errors: [] }) };
	} catch {
		// Proxies answer in HTML: the status says enough.
		return {};
	}
}

/** A hostile registry's text goes to terminals and logs: one line, bounded, printable. */
function clip(text: string): string {
	const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
	return clean.length <= MESSAGE_LIMIT ? clean : `${clean.slice(0, MESSAGE_LIMIT)}…`;
}
