import type { TaskStartFailure } from "../../core/container/runtime.ts";
import { TaskStartError } from "../../core/container/task-start-error.ts";

/**
 * Turns what an OCI runtime says about a failed start into the words that Docker's clients know: they tell exit code
 * 127 from 126 by "executable file not found", "no such file or directory", "permission denied" and "is a directory".
 */
export interface StartFailure {
	readonly kind: "run" | "exec";
	/** Name of the runtime, for the message. */
	readonly runtime: string;
	/** First argument of the process, which crun leaves out of its messages. */
	readonly program: string;
	/** The runtime's log in JSON lines, or what it printed. */
	readonly text: string;
}

export function startError({ kind, runtime, program, text }: StartFailure): TaskStartError {
	const message = inDockersWords(runtimeMessage(text), program);
	const prefix =
		kind === "run"
			? `failed to create task for container: failed to create shim task: OCI runtime create failed: ${runtime} create failed: `
			: "OCI runtime exec failed: exec failed: ";
	return new TaskStartError(reasonOf(message), `${prefix}${message}${hintFor(message)}`);
}

/** The `msg` of the last error in a runtime's JSON log; the text itself when it is no such log. */
export function runtimeMessage(text: string): string {
	let message: string | undefined;
	for (const line of text.split("\n")) message = errorOfLogLine(line) ?? message;
	return message ?? text.trim();
}

function errorOfLogLine(line: string): string | undefined {
	if (!line.startsWith("{")) return undefined;
	try {
		const entry: unknown = JSON.parse(line);
		if (typeof entry !== "object" || entry === null || !("msg" in entry)) return undefined;
		const isError = !("level" in entry) || entry.level === "error" || entry.level === "fatal";
		return isError ? String(entry.msg) : undefined;
	} catch (error) {
		if (error instanceof SyntaxError) return undefined; // a line that the runtime did not finish
		throw error;
	}
}

const CANNOT_START = "unable to start container process: ";

function inDockersWords(message: string, program: string): string {
	const bare = message.replace(/^runc (?:run|create) failed: /, "").replace(/^exec failed: /, "");
	const [, missing] = /^executable file [`'](.*)[`'] not found in \$PATH/.exec(bare) ?? [];
	if (missing !== undefined)
		return missing.includes("/")
			? `${CANNOT_START}exec: "${missing}": stat ${missing}: no such file or directory`
			: `${CANNOT_START}exec: "${missing}": executable file not found in $PATH`;
	const [, why] = /^(?:open executable|exec(?:ve)?): (.*)$/.exec(bare) ?? [];
	if (why !== undefined) return `${CANNOT_START}exec: "${program}": ${reasonInWords(why, program)}`;
	const [, directory, reason = ""] = /^chdir(?: to)? ?[`']?([^`':]*)[`']?: (.*)$/.exec(bare) ?? [];
	return directory === undefined
		? bare
		: `${CANNOT_START}chdir to cwd (${JSON.stringify(directory)}) set in config.json failed: ${reason.toLowerCase()}`;
}

/** crun's errno text for the program, as runc would have said it. */
function reasonInWords(why: string, program: string): string {
	if (why === "Operation not permitted")
		// what crun says of everything that is not a regular file
		return program === "" ? "executable file not found in $PATH" : "is a directory: permission denied";
	if (why === "Not a directory" || why === "No such file or directory") return `stat ${program}: ${why.toLowerCase()}`;
	return why.toLowerCase();
}

function reasonOf(message: string): TaskStartFailure {
	const text = message.toLowerCase();
	if (/executable file not found|no such file or directory/.test(text)) return "not-found";
	if (/permission denied|is a directory/.test(text)) return "not-executable";
	return text.includes("not a directory") ? "not-found" : "other";
}

function hintFor(message: string): string {
	return message.toLowerCase().includes("not a directory")
		? ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type"
		: "";
}
