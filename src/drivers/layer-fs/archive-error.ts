import {
	EngineError,
	ErrnoError,
	errnoCode,
	errorMessage,
	InvalidParameterError,
	SystemError,
} from "../../base/errors.ts";
import { errnoText } from "../linux/errno.ts";

/** Failures that the archive's own names and types bring about. */
const ARCHIVE_FAULTS = new Set(["ENAMETOOLONG", "ENOTDIR", "ELOOP", "EINVAL", "EISDIR", "EMLINK", "ENOENT", "EEXIST"]);

/** A failure on one member as the error of the whole; what is an EngineError already stays. */
export function memberError(action: string, name: string, cause: unknown): EngineError {
	if (cause instanceof EngineError) return cause;
	const code = errnoCode(cause);
	const message = `${action} ${name}: ${code === undefined ? errorMessage(cause) : errnoText(code)}`;
	const byArchive = code !== undefined && ARCHIVE_FAULTS.has(code);
	return byArchive ? new InvalidParameterError(message, { cause }) : new SystemError(message, { cause });
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
	const code = error instanceof ErrnoError ? error.code : errnoCode(error);
	return code !== undefined && codes.includes(code);
}
