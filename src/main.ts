/**
 * Picks the program and imports nothing else, so that a command pays only for what it runs: `gantryd` (by that name, or
 * `gantry daemon`), else the command line. The name counts in the compiled binary alone; from a checkout `bin/gantryd`
 * passes `daemon`.
 */
async function runDaemonProgram(argv: string[]): Promise<void> {
	const { runDaemon } = await import("./daemon/main.ts");
	// The daemon has closed what it owns by now; whatever a library left open must not keep it alive.
	process.exit(await runDaemon(argv));
}

async function runCliProgram(argv: string[]): Promise<void> {
	const { runCli } = await import("./cli/main.ts");
	// Never process.exit() here: it would cut off output that a slow reader of our stdout has not taken yet.
	process.exitCode = await runCli(argv);
}

function calledAs(): string {
	return process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
}

const argv = process.argv.slice(2);
if (calledAs() === "gantryd") await runDaemonProgram(argv);
else if (argv[0] === "daemon") await runDaemonProgram(argv.slice(1));
else await runCliProgram(argv);
