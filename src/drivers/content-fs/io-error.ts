import { errnoCode, errorMessage, NotFoundError, SystemError } from "../../base/errors.ts";

export function ioError(action: string, subject: string, cause: unknown): Error {
	if (errnoCode(cause) === "ENOENT") return new NotFoundError(`content ${subject}: not found`, { cause });
	return new SystemError(`failed to ${action} content ${subject}: ${errorMessage(cause)}`, { cause });
}
