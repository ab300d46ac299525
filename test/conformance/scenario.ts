/** Runs a scenario written for another language's client against a daemon, and gives what it saw. */
import { join } from "node:path";
import { runCommand } from "../support/commands.ts";
import type { TestDaemon } from "../support/daemon.ts";

const TIMEOUT_MS = 120_000;

/**
 * @returns the JSON object that is the last line of what the scenario prints
 * @throws Error with all its output when it fails
 */
export async function observe(
	daemon: TestDaemon,
	interpreter: string,
	file: string,
	env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
	const { code, stdout, stderr } = await runCommand([interpreter, join(import.meta.dir, file)], {
		timeoutMs: TIMEOUT_MS,
		cwd: daemon.directory,
		env: {
			DOCKER_HOST: daemon.host,
			DOCKER_CONTEXT: undefined,
			DOCKER_CONFIG: join(daemon.directory, "client"),
			...env,
		},
	});
	if (code !== 0) throw new Error(`${file} ended with code ${code}:\n${stdout}${stderr}\n${daemon.log.slice(-4_000)}`);
	return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}
