/**
 * The error taxonomy. Every failure that a caller may act on is an EngineError of one kind; drivers translate errno
 * and foreign errors in the method that called out and keep them as `cause`. HTTP statuses are known to
 * `server/http-errors.ts` alone. An error that is not an EngineError is a bug and answers 500.
 */
export type ErrorKind =
	| "invalid-parameter"
	| "unauthorized"
	| "forbidden"
	| "not-found"
	| "conflict"
	| "not-modified"
	| "not-implemented"
	| "unavailable"
	| "system"
	| "cancelled";

export class EngineError extends Error {
	constructor(
		readonly kind: ErrorKind,
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.name = new.target.name;
	}
}

/** The request itself is wrong: bad JSON, bad reference, unknown option. HTTP 400. */
export class InvalidParameterError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("invalid-parameter", message, options);
	}
}

export class UnauthorizedError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("unauthorized", message, options);
	}
}

/** Refused by policy; a retry cannot help. HTTP 403. */
export class ForbiddenError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("forbidden", message, options);
	}
}

export class NotFoundError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("not-found", message, options);
	}
}

/** The object exists but is in the wrong state, or a name is taken. HTTP 409. */
export class ConflictError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("conflict", message, options);
	}
}

/** Nothing to do: start of a running, stop of a stopped container. HTTP 304, no body. */
export class NotModifiedError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("not-modified", message, options);
	}
}

/** A documented feature that is not there yet. HTTP 501. Never ignore such an option silently. */
export class NotImplementedError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("not-implemented", message, options);
	}
}

export class UnavailableError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("unavailable", message, options);
	}
}

/** The machine failed us: a mount, the disk, the kernel, corrupt state. HTTP 500. */
export class SystemError extends EngineError {
	constructor(message: string, options?: ErrorOptions) {
		super("system", message, options);
	}
}

/** The caller went away. Not an error to log. */
export class CancelledError extends EngineError {
	constructor(message = "Operation cancelled", options?: ErrorOptions) {
		super("cancelled", message, options);
	}
}

/** A system call's failure as drivers see it before they translate it. */
export class ErrnoError extends Error {
	constructor(
		readonly syscall: string,
		readonly errno: number,
		readonly code: string,
		detail = "",
		/** What strerror(3) says, for people. */
		text = code,
	) {
		super(`${syscall}${detail === "" ? "" : ` ${detail}`}: ${text}`);
		this.name = "ErrnoError";
	}
}

/** The kind of the first EngineError on the cause chain, outermost first; `system` when there is none. */
export function errorKind(error: unknown): ErrorKind {
	for (let current = error; current instanceof Error; current = current.cause)
		if (current instanceof EngineError) return current.kind;
	return "system";
}

export function errorMessage(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/** `code` of a Node or errno error (`ENOENT`, …), undefined for anything else. */
export function errnoCode(error: unknown): string | undefined {
	if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
	return typeof error.code === "string" ? error.code : undefined;
}

/** Marks a case the type checker proves impossible. */
export function assertNever(value: never): never {
	throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}

/** A condition that only a bug can break. */
export function invariant(condition: unknown, message: string): asserts condition {
	if (!condition) throw new Error(`Invariant broken: ${message}`);
}
