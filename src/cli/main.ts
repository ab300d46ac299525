import type { Command } from "./command.ts";
import { type FoundCommand, findCommand } from "./command-table.ts";
import { CliContext } from "./context.ts";
import { describeError } from "./describe-error.ts";
import { GLOBAL_OPTIONS } from "./global-options.ts";
import { parseOptions } from "./option-parser.ts";
import { Output } from "./output.ts";
import type { GlobalSettings } from "./settings.ts";
import { ExitError, UsageError } from "./usage-error.ts";

const LOG_LEVELS = new Set("trace debug info warn warning error fatal panic".split(" "));

/**
 * Runs one command line (without the program's name) and returns its exit code, all output written. The caller then ends
 * the process: nothing here waits for open connections.
 */
export async function runCli(argv: string[]): Promise<number> {
	const stdout = new Output(Bun.stdout, 1);
	const stderr = new Output(Bun.stderr, 2);
	let exitCode: number;
	try {
		exitCode = await runLine(argv, stdout, stderr);
		await stdout.flush();
	} catch (error) {
		exitCode = reportError(error, stderr);
	}
	// A reader that has gone is not told anything any more.
	await stdout.flush().catch(() => {});
	await stderr.flush().catch(() => {});
	return exitCode;
}

async function runLine(argv: string[], stdout: Output, stderr: Output): Promise<number> {
	const globalLine = parseGlobals(argv);
	const { options, args } = globalLine;
	const level = options.text("log-level");
	if (options.list("host").length > 1)
		throw new ExitError(1, "Failed to initialize: unable to resolve gantry endpoint: Specify only one -H");
	if (!LOG_LEVELS.has(level)) throw new ExitError(1, `Unable to parse logging level: ${level}`);
	if (options.bool("version")) {
		const { CLI_VERSION } = await import("./version-text.ts");
		stdout.line(`Gantry version ${CLI_VERSION}`);
		return 0;
	}
	const context = new CliContext(readGlobals(options), stdout, stderr, process.env);
	if (args[0] === "completion" && args[1] === "candidates") {
		// Asked by the scripts; not a verb like the others, since it has to know them all.
		const { candidates } = await import("./completion-candidates.ts");
		for (const candidate of await candidates(context, args.slice(2))) stdout.line(candidate);
		return 0;
	}
	const found = findCommand(args);
	if (found === undefined || args.length === 0) {
		const { showProgramHelp } = await import("./help.ts");
		return showProgramHelp(context, args, globalLine.isHelp);
	}
	// Finding the daemon and loading the command go side by side. What goes wrong with the former is the command's to report.
	if (!globalLine.isHelp)
		context.client().then(
			(client) => client.warmUp(),
			() => {},
		);
	const command = await found.entry.load();
	if (globalLine.isHelp) {
		const { showCommandHelp } = await import("./help.ts");
		return showCommandHelp(context, command, found);
	}
	return await runCommand(context, command, found, args.slice(found.words));
}

function parseGlobals(argv: string[]) {
	try {
		return parseOptions(argv, GLOBAL_OPTIONS, false);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		const usage = "Usage:  gantry [OPTIONS] COMMAND [ARG...]\n\nRun 'gantry --help' for more information";
		throw new ExitError(error.exitCode, `${error.message}\n\n${usage}`);
	}
}

async function runCommand(context: CliContext, command: Command, found: FoundCommand, argv: string[]): Promise<number> {
	const { typedPath } = found;
	try {
		const line = parseOptions(argv, command.options, command.isInterspersed ?? true);
		if (line.isHelp) {
			const { showCommandHelp } = await import("./help.ts");
			return showCommandHelp(context, command, found);
		}
		checkArgumentCount(command, typedPath, line.args.length);
		return await command.run(context, line.options, line.args);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		const usage = `Usage:  gantry ${typedPath}${command.usage === "" ? "" : ` ${command.usage}`}`;
		throw new ExitError(
			error.exitCode,
			`${error.message}\n\n${usage}\n\n${error.pointer} 'gantry ${typedPath} --help' for more information`,
		);
	}
}

function checkArgumentCount(command: Command, typedPath: string, count: number): void {
	const { minArguments = 0, maxArguments = Number.POSITIVE_INFINITY } = command;
	if (count >= minArguments && count <= maxArguments) return;
	const subject = `gantry: 'gantry ${typedPath}'`;
	const plural = (limit: number) => `${limit} argument${limit === 1 ? "" : "s"}`;
	if (maxArguments === 0) throw new UsageError(`${subject} accepts no arguments`, 1);
	if (minArguments === maxArguments) throw new UsageError(`${subject} requires ${plural(minArguments)}`, 1);
	if (minArguments > 0 && maxArguments !== Number.POSITIVE_INFINITY)
		throw new UsageError(`${subject} requires at least ${minArguments} and at most ${plural(maxArguments)}`, 1);
	if (count < minArguments) throw new UsageError(`${subject} requires at least ${plural(minArguments)}`, 1, "See");
	throw new UsageError(`${subject} requires at most ${plural(maxArguments)}`, 1);
}

function readGlobals(options: ReturnType<typeof parseOptions>["options"]): GlobalSettings {
	const given = <Key extends string>(key: Key, name: string) =>
		options.has(name) ? ({ [key]: options.text(name) } as Record<Key, string>) : {};
	const home = process.env["HOME"] ?? "/root";
	return {
		configFolder: options.text("config") || process.env["DOCKER_CONFIG"] || `${home}/.docker`,
		tls: options.bool("tls"),
		isDebug: options.bool("debug"),
		...(options.has("tlsverify") ? { tlsVerify: options.bool("tlsverify") } : {}),
		...given("host", "host"),
		...given("context", "context"),
		...given("tlsCaCert", "tlscacert"),
		...given("tlsCert", "tlscert"),
		...given("tlsKey", "tlskey"),
	};
}

function reportError(error: unknown, stderr: Output): number {
	if (error instanceof ExitError) {
		if (error.message !== "") stderr.line(error.message);
		return error.exitCode;
	}
	stderr.line(describeError(error));
	return 1;
}
