/** Docker's own client of BuildKit's API, the plugin `docker-buildx`. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buildxPlugin, composePlugin } from "./client-plugins.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./commands.ts";
import type { TestDaemon } from "./daemon.ts";

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
