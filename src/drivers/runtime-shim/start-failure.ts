import type { TaskStartFailure } from "../../core/container/runtime.ts";
import { TaskStartError } from "../../core/container/task-start-error.ts";

/**
 * What crun and runc say when the process can't be executed, as Docker's clients expect to read it: they decide
 * between exit code 127 and 126 by runc's words ("executable file not found", "no such file or directory",
 * "permission denied", "is a directory").
 */
interface Wording {
	readonly pattern: RegExp;
	readonly reason: TaskStartFailure;
	/** The message in runc's words; the runtime's own when absent. */
	readonly say?: (match: RegExpExecArray) => string;
}

const WORDINGS: readonly Wording[] = [
	{
		pattern: /executable file [`'"](.*?)['"`] not found in \$PATH/,
		reason: "not-found",
		say: ([, name]) => `exec: "${name}": executable file not found in $PATH`,
	},
	{ pattern: /executable file not found in \$PATH/, reason: "not-found" },
	{ pattern: /exec: ".*?": stat .*?: no such file or directory/, reason: "not-found" },
	{
		pattern: /exec: ".*?": (?:is a directory: )?permission denied|exec .*?: (?:permission denied|is a directory)/,
		reason: "not-executable",
	},
	{
		pattern:
			/^(?:open|exec(?:ve|utable)?|cannot find|access|stat)\b.*?[`'"]?(\/[^`'":]*)?[`'"]?: No such file or directory$/,
		reason: "not-found",
		say: ([text, name]) =>
			name === undefined ? lowerCaseEnd(text) : `exec: "${name}": stat ${name}: no such file or directory`,
	},
	{ pattern: /exec.*?: no such file or directory/, reason: "not-found" },
	{
		pattern: /exec.*?: exec format error|Exec format error/i,
		reason: "not-executable",
		say: ([text]) => lowerCaseEnd(text),
	},
	{
		pattern:
			/^(?:open|exec(?:ve|utable)?|the path|access|stat)\b.*?(?:Permission denied|Is a directory|is not a regular file)$/i,
		reason: "not-executable",
		say: ([text]) => (/permission denied$/i.test(text) ? lowerCaseEnd(text) : `${text}: permission denied`),
	},
];

function lowerCaseEnd(text: string): string {
	const colon = text.lastIndexOf(": ");
	return colon < 0 ? text : text.slice(0, colon + 2) + text.slice(colon + 2).toLowerCase();
}

/** The `msg` of the last error in a runtime's JSON log; the text itself when it is no such log. */
export function runtimeMessage(text: string): string {
	let message: string | undefined;
	for (const line of text.split("\n")) {
		try {
			const entry: unknown = JSON.parse(line);
			if (typeof entry !== "object" || entry === null || !("msg" in entry)) continue;
			if ("level" in entry && entry.level !== "error" && entry.level !== "fatal") continue;
			message = String(entry.msg);
		} catch (error) {
			if (!(error instanceof SyntaxError)) throw error; // not JSON: a runtime that writes plain text
		}
	}
	return message ?? text.trim();
}

/** Makes the error from what the runtime logged. */
export function startError(kind: "run" | "exec", text: string): TaskStartError {
	const message = runtimeMessage(text);
	const prefix =
		kind === "run"
			? "failed to create task for container: failed to create shim task: OCI runtime create failed: "
			: "OCI runtime exec failed: exec failed: ";
	for (const { pattern, reason, say } of WORDINGS) {
		const match = pattern.exec(message);
		if (match === null) continue;
		const said = say === undefined ? message : `unable to start container process: ${say(match)}`;
		return new TaskStartError(reason, prefix + said.replace(/^exec failed: /, ""));
	}
	return new TaskStartError("other", prefix + message);
}
