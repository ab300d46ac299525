import { errorMessage } from "../base/errors.ts";
import { ApiError, ConnectionError } from "../client/api-error.ts";

/** What a failed command says, in docker's words. */
export function describeError(error: unknown): string {
	if (error instanceof ApiError) return `Error response from daemon: ${error.message}`;
	if (error instanceof ConnectionError && (error.code === "ENOENT" || error.code === "ECONNREFUSED"))
		return `${error.message}\nStart it with 'gantryd' (as root), or name another one with -H or GANTRY_HOST.`;
	return errorMessage(error);
}
