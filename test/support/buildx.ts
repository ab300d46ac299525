/** Docker's own client of BuildKit's API, the plugin `docker-buildx`, where this machine has it. Debian 12 has no package of it. */
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type CommandOptions, type CommandResult, runCommand } from "./commands.ts";
import type { TestDaemon } from "./daemon.ts";

/** Names the plugin, or the directory of several. */
const VARIABLE = "GANTRY_TEST_PLUGINS";
const DIRECTORIES = [
	join(homedir(), ".docker/cli-plugins"),
	"/usr/local/lib/docker/cli-plugins",
	"/usr/local/libexec/docker/cli-plugins",
	"/usr/lib/docker/cli-plugins",
	"/usr/libexec/docker/cli-plugins",
];

function findPlugin(name: string): string | undefined {
	const directories = [process.env[VARIABLE] ?? "", ...DIRECTORIES].filter((directory) => directory !== "");
	return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

export const buildxPlugin = findPlugin("docker-buildx");
export const composePlugin = findPlugin("docker-compose");

/** What the absence of a plugin means: part of the names of tests that are skipped. */
export const withoutPlugin = (name: string) =>
	` (skipped: no ${name} in ${[`$${VARIABLE}`, ...DIRECTORIES].join(", ")})`;

/** Lets `docker build` and `docker compose` of a test's client find the plugins. */
export function installPlugins({ directory }: TestDaemon): void {
	const plugins = join(directory, "client/cli-plugins");
	mkdirSync(plugins, { recursive: true });
	for (const path of [buildxPlugin, composePlugin])
		if (path !== undefined) symlinkSync(path, join(plugins, path.slice(path.lastIndexOf("/") + 1)));
}

/** `docker buildx …`, without the client in front of it. */
export function buildx(
	{ host, directory }: TestDaemon,
	args: readonly string[],
	options: CommandOptions = {},
): Promise<CommandResult> {
	if (buildxPlugin === undefined) throw new Error("There is no docker-buildx here");
	const env = {
		DOCKER_HOST: host,
		DOCKER_CONFIG: join(directory, "client"),
		DOCKER_CONTEXT: undefined,
		BUILDX_BUILDER: undefined,
		BUILDKIT_PROGRESS: "plain",
		BUILDX_CONFIG: undefined,
	};
	return runCommand([buildxPlugin, ...args], { ...options, env: { ...env, ...options.env } });
}
