import { containerStats, inspectContainer, listContainers } from "../../client/containers.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { Filters } from "../../client/filters.ts";
import { daemonEvents } from "../../client/system.ts";
import type { Command, ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { writeRows } from "../formatter/rows.ts";
import { FORMAT_OPTION } from "../list-options.ts";
import { type StatsSample, statsFields } from "./stats-sample.ts";

const COLUMNS = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];
const REDRAW_MS = 500;
/** Cursor to the top left corner; then from there to the end of the screen. */
const HOME = "\x1b[H";
const CLEAR_BELOW = "\x1b[J";

export const command: Command = {
	usage: "[OPTIONS] [CONTAINER...]",
	examples: ["gantry stats", "gantry stats --no-stream --format '{{.Name}}: {{.MemUsage}}'"],
	options: [
		{ name: "all", short: "a", kind: "bool", help: "Show those that do not run too" },
		FORMAT_OPTION,
		{ name: "no-stream", kind: "bool", help: "Show the first result only" },
		{ name: "no-trunc", kind: "bool", help: "Shorten nothing" },
	],
	async run(context, options, args) {
		const client = await context.client();
		const format = options.text("format") || ((await context.config()).statsFormat ?? "");
		const show = (samples: StatsSample[]) =>
			writeRows(context.stdout, samples, { fields: statsFields(!options.bool("no-trunc")), columns: COLUMNS, format });
		const targets = args.length > 0 ? await resolve(client, args) : await list(client, options.bool("all"));
		if (options.bool("no-stream")) {
			await show(await Promise.all(targets.map((target) => sampleOnce(client, target))));
			return 0;
		}
		return await watch({ context, client, options, targets, isFixed: args.length > 0, show });
	},
};

/** @throws ApiError when one is not there */
async function resolve(client: EngineClient, names: readonly string[]): Promise<StatsSample[]> {
	return await Promise.all(
		names.map(async (container) => {
			const { Id, Name } = await inspectContainer(client, container);
			return { container, id: Id, name: Name.replace(/^\//, "") };
		}),
	);
}

async function list(client: EngineClient, isAll: boolean): Promise<StatsSample[]> {
	const containers = await listContainers(client, { all: isAll });
	return containers.map(({ Id, Names }) => ({
		container: Id.slice(0, 12),
		id: Id,
		name: Names[0]?.replace(/^\//, "") ?? "",
	}));
}

async function sampleOnce(client: EngineClient, target: StatsSample): Promise<StatsSample> {
	try {
		for await (const stats of containerStats(client, target.id, { stream: false })) return { ...target, stats };
		return target;
	} catch {
		// It may have gone between the list and now; the others are shown all the same.
		return { ...target, hasFailed: true };
	}
}

interface Watch {
	context: CliContext;
	client: EngineClient;
	options: ParsedOptions;
	targets: StatsSample[];
	/** Named on the command line: nothing comes or goes. */
	isFixed: boolean;
	show(samples: StatsSample[]): Promise<void>;
}

/**
 * Redraws until it is interrupted, or until all containers that were named have gone.
 * @throws Error when the daemon goes
 */
async function watch({ context, client, options, targets, isFixed, show }: Watch): Promise<number> {
	const samples = new Map<string, StatsSample>();
	const follow = async (target: StatsSample) => {
		if (samples.has(target.id)) return;
		samples.set(target.id, target);
		try {
			for await (const stats of containerStats(client, target.id, { stream: true }))
				samples.set(target.id, { ...target, stats });
		} catch {
			// The container has gone, and its line with it.
		}
		if (!options.bool("all") || isFixed) samples.delete(target.id);
	};
	for (const target of targets) void follow(target);
	const ended = isFixed ? undefined : followEvents(client, options.bool("all"), samples, follow);
	ended?.catch(() => {}); // the loop below awaits it, a little later
	const isTable = options.text("format") === "" || options.text("format").startsWith("table");
	for (;;) {
		if (isTable) context.stdout.write(HOME + CLEAR_BELOW);
		await show([...samples.values()]);
		await context.stdout.flush();
		if (isFixed && samples.size === 0) return 0;
		await Promise.race([Bun.sleep(REDRAW_MS), ...(ended === undefined ? [] : [ended])]);
	}
}

/**
 * Containers that start appear, those that end (or, with `--all`, are removed) disappear.
 * @throws Error when the stream of events ends
 */
async function followEvents(
	client: EngineClient,
	isAll: boolean,
	samples: Map<string, StatsSample>,
	follow: (target: StatsSample) => Promise<void>,
): Promise<never> {
	const filters = Filters.parse(["type=container"]);
	for (const event of isAll ? ["create", "start", "destroy"] : ["start", "die"]) filters.add("event", event);
	for await (const { Action, Actor } of daemonEvents(client, { filters })) {
		const target = { container: Actor.ID.slice(0, 12), id: Actor.ID, name: Actor.Attributes["name"] ?? "" };
		if (Action === "die" || Action === "destroy") samples.delete(Actor.ID);
		else void follow(target);
	}
	throw new Error("the daemon ended the stream of events");
}
