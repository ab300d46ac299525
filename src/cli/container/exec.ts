import type { ExecCreateRequest } from "../../api/engine/exec.ts";
import { createExec, inspectExec, resizeExec, startExec, startExecDetached } from "../../client/containers.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import type { Command, ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { ExitError } from "../usage-error.ts";
import { checkEnv } from "./option-checks.ts";
import { runSession } from "./stdio-session.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
	examples: ["gantry exec -it web sh", "gantry exec -u root -e DEBUG=1 web env", "gantry exec -i db psql < dump.sql"],
	options: [
		{ name: "detach", short: "d", kind: "bool", help: "Run in the background" },
		{ name: "detach-keys", kind: "string", help: "Keys that leave the command running (ctrl-p,ctrl-q)" },
		{
			name: "env",
			short: "e",
			kind: "list",
			help: "Set an environment variable (NAME=value, or NAME to pass it on)",
			check: checkEnv,
		},
		{ name: "env-file", kind: "list", help: "Read environment variables from a file" },
		{ name: "interactive", short: "i", kind: "bool", help: "Pass standard input on" },
		{ name: "privileged", kind: "bool", help: "Give all rights of the daemon" },
		{ name: "tty", short: "t", kind: "bool", help: "Give the command a terminal" },
		{ name: "user", short: "u", kind: "string", help: "User and group (name|uid[:group|gid])" },
		{ name: "workdir", short: "w", kind: "string", help: "Working directory" },
	],
	isInterspersed: false,
	minArguments: 2,
	async run(context, options, [container = "", ...words]) {
		const client = await context.client();
		const { detachKeys: configuredKeys = "" } = await context.config();
		const request = await execRequest(context, options, words, options.text("detach-keys") || configuredKeys);
		if (request.AttachStdin && request.Tty && !(await import("../terminal.ts")).isTerminal(0))
			throw new ExitError(1, "the input device is not a TTY");
		const isDetached = options.bool("detach");
		const warm = isDetached ? undefined : client.warmUp();
		const { Id } = await createExec(client, container, request);
		if (isDetached) {
			await startExecDetached(client, Id, { Tty: request.Tty === true });
			return 0;
		}
		await warm;
		return await runExec(context, client, Id, request);
	},
};

async function execRequest(
	context: CliContext,
	options: ParsedOptions,
	words: string[],
	detachKeys: string,
): Promise<ExecCreateRequest> {
	const isDetached = options.bool("detach");
	const isTty = options.bool("tty");
	const size = isTty && !isDetached ? (await import("../terminal.ts")).terminalSize(1) : undefined;
	const hasEnvironment = options.has("env") || options.has("env-file");
	return {
		Cmd: words,
		Tty: isTty,
		Privileged: options.bool("privileged"),
		...(options.text("user") === "" ? {} : { User: options.text("user") }),
		...(options.text("workdir") === "" ? {} : { WorkingDir: options.text("workdir") }),
		...(detachKeys === "" ? {} : { DetachKeys: detachKeys }),
		...(isDetached ? {} : { AttachStdin: options.bool("interactive"), AttachStdout: true, AttachStderr: true }),
		...(size === undefined ? {} : { ConsoleSize: [size.rows, size.columns] as [number, number] }),
		...(hasEnvironment ? { Env: await readVariables(context, options) } : {}),
	};
}

async function readVariables(context: CliContext, options: ParsedOptions): Promise<string[]> {
	const { readEnvironment } = await import("./process-options.ts");
	return readEnvironment(options.list("env-file"), options.list("env"), context.environment);
}

async function runExec(
	context: CliContext,
	client: EngineClient,
	id: string,
	request: ExecCreateRequest,
): Promise<number> {
	const isTty = request.Tty === true;
	const channel = await startExec(client, id, {
		Detach: false,
		Tty: isTty,
		...(request.ConsoleSize ? { ConsoleSize: request.ConsoleSize } : {}),
	});
	let stopResizing: (() => void) | undefined;
	if (isTty && request.AttachStdin) {
		const { followTerminalSize } = await import("./terminal-input.ts");
		stopResizing = followTerminalSize((rows, columns) => resizeExec(client, id, rows, columns));
	}
	try {
		const end = await runSession({
			channel,
			isTty,
			hasInput: request.AttachStdin === true,
			stdout: context.stdout,
			stderr: context.stderr,
			detachKeys: request.DetachKeys || "ctrl-p,ctrl-q",
		});
		if (end === "detached") throw new ExitError(1, "read escape sequence");
	} finally {
		stopResizing?.();
	}
	const { ExitCode } = await inspectExec(client, id);
	return ExitCode ?? 0;
}
