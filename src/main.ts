/**
 * Picks the program and imports nothing else, so that a command pays only for what it runs: `gantryd` (by that name, or
 * `gantry daemon`), the registry (`gantry registry …`), else the command line. The name counts in the compiled binary
 * alone; from a checkout `bin/gantryd` passes `daemon`. All programs return when all of their output is written and what
 * they own is closed: nothing that a library left open keeps the process alive.
 */
async function runProgram(argv: string[]): Promise<number> {
	if (calledAs() === "gantryd") return await runDaemonProgram(argv);
	if (argv[0] === "daemon") return await runDaemonProgram(argv.slice(1));
	if (argv[0] === "registry") return await runRegistryProgram(argv.slice(1));
	const { runCli } = await import("./cli/main.ts");
	return await runCli(argv);
}

async function runDaemonProgram(argv: string[]): Promise<number> {
	const { runDaemon } = await import("./daemon/main.ts");
	return await runDaemon(argv);
}

async function runRegistryProgram(argv: string[]): Promise<number> {
	const { runRegistry } = await import("./daemon/registry/main.ts");
	return await runRegistry(argv);
}

function calledAs(): string {
	return process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
}

process.exit(await runProgram(process.argv.slice(2)));
