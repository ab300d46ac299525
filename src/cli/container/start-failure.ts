import { ApiError } from "../../client/api-error.ts";
import { describeError } from "../describe-error.ts";
import { ExitError, UsageError } from "../usage-error.ts";

/** Exit codes of containers that could not be made or started: 127 nothing to run, 126 not runnable, 125 all else. */
export function startFailure(error: unknown, verb: string): Error {
	if (error instanceof ExitError || error instanceof UsageError) return error;
	const text = describeError(error);
	// A file of the command line's own that is missing says nothing about the container's command.
	const code = error instanceof ApiError ? exitCodeOf(text) : 125;
	return new ExitError(code, `gantry: ${text}\n\nRun 'gantry ${verb} --help' for more information`);
}

function exitCodeOf(text: string): number {
	const lower = text.toLowerCase();
	if (/executable file not found|no such file or directory|cannot find the file specified/.test(lower)) return 127;
	if (/permission denied|is a directory/.test(lower)) return 126;
	return 125;
}
