import { listContainers } from "../client/containers.ts";
import { listImages } from "../client/images.ts";
import { listNetworks } from "../client/networks.ts";
import { listVolumes } from "../client/volumes.ts";
import type { Command } from "./command.ts";
import { COMMANDS, findCommand, GROUPS, PROGRAMS } from "./command-table.ts";
import type { CliContext } from "./context.ts";
import { GLOBAL_OPTIONS } from "./global-options.ts";
import { parseOptions } from "./option-parser.ts";

/** What the last of `words` can become; nothing where file names are as good a guess as any. */
export async function candidates(context: CliContext, words: readonly string[]): Promise<string[]> {
	const typed = words.filter((word, index) => !(index === 0 && word === "--"));
	const current = typed.at(-1) ?? "";
	const before = typed.slice(0, -1);
	const rest = before.slice(parseOptions(before, GLOBAL_OPTIONS, false).firstArgument);
	const all = await possibilities(context, rest, current);
	return [...new Set(all)].filter((candidate) => candidate.startsWith(current)).sort();
}

async function possibilities(context: CliContext, before: readonly string[], current: string): Promise<string[]> {
	const [first] = before;
	if (first === undefined)
		return current.startsWith("-") ? GLOBAL_OPTIONS.map(({ name }) => `--${name}`) : topLevelWords();
	const found = findCommand(before);
	if (found === undefined) return before.length === 1 ? verbsOf(first) : [];
	const command = await found.entry.load();
	if (current.startsWith("-")) return optionWords(command);
	return await objectNames(context, command.usage, found.entry.path);
}

function topLevelWords(): string[] {
	const names = COMMANDS.flatMap(({ path, aliases }) => [path, ...aliases]);
	return [...names.filter((path) => !path.includes(" ")), ...Object.keys(GROUPS), ...Object.keys(PROGRAMS)];
}

function verbsOf(group: string): string[] {
	return COMMANDS.filter(({ path }) => path.startsWith(`${group} `)).map(({ path }) => path.slice(group.length + 1));
}

function optionWords(command: Command): string[] {
	return [...command.options.filter(({ hidden }) => hidden !== true).map(({ name }) => `--${name}`), "--help"];
}

/** Names of the objects the usage line speaks of. A daemon that is not there completes nothing. */
async function objectNames(context: CliContext, usage: string, path: string): Promise<string[]> {
	try {
		const client = await context.client();
		if (usage.includes("CONTAINER")) {
			const all = await listContainers(client, { all: true });
			return all.flatMap(({ Names }) => Names.map((name) => name.slice(1)));
		}
		if (usage.includes("IMAGE") || path === "image push")
			return (await listImages(client)).flatMap(({ RepoTags }) => RepoTags ?? []);
		if (usage.includes("VOLUME")) return ((await listVolumes(client)).Volumes ?? []).map(({ Name }) => Name);
		if (usage.includes("NETWORK")) return (await listNetworks(client)).map(({ Name }) => Name);
	} catch {
		// Completion is silent by nature.
	}
	return [];
}
