import { listContainers } from "../../client/containers.ts";
import { Filters } from "../../client/filters.ts";
import type { Command } from "../command.ts";
import { writeRows } from "../formatter/rows.ts";
import { FILTER_OPTION, FORMAT_OPTION } from "../list-options.ts";
import { containerFields } from "./container-fields.ts";
import { checkInteger } from "./option-checks.ts";

const COLUMNS = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry ps -a", "gantry ps -f status=exited -q", "gantry ps --format 'table {{.Names}}\\t{{.Status}}'"],
	options: [
		{ name: "all", short: "a", kind: "bool", help: "Show those that do not run too" },
		FILTER_OPTION,
		FORMAT_OPTION,
		{
			name: "last",
			short: "n",
			kind: "string",
			value: "int",
			help: "Show the last n created, in whatever state",
			default: "-1",
			check: checkInteger,
		},
		{ name: "latest", short: "l", kind: "bool", help: "Show the last created one, in whatever state" },
		{ name: "no-trunc", kind: "bool", help: "Shorten nothing" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show IDs only" },
		{ name: "size", short: "s", kind: "bool", help: "Show sizes" },
	],
	maxArguments: 0,
	async run(context, options) {
		const client = await context.client();
		const isQuiet = options.bool("quiet");
		const config = await context.config();
		if (isQuiet && options.has("format"))
			context.stderr.line("WARNING: Ignoring custom format, because both --format and --quiet are set.");
		const format = isQuiet ? "" : options.text("format") || config.psFormat || "";
		const last = options.bool("latest") && !options.has("last") ? 1 : Number(options.text("last"));
		const hasSize = options.bool("size") || /\.Size\b|\{\{\s*json\s+\.\s*\}\}/.test(format);
		const containers = await listContainers(client, {
			all: options.bool("all"),
			size: hasSize,
			filters: Filters.parse(options.list("filter")),
			...(last > 0 ? { limit: last } : {}),
		});
		const fields = containerFields(!options.bool("no-trunc"));
		if (isQuiet) {
			for (const container of containers) context.stdout.line(String(fields["ID"]?.value(container)));
			return 0;
		}
		const columns = options.bool("size") ? [...COLUMNS, "Size"] : COLUMNS;
		await writeRows(context.stdout, containers, { fields, columns, format });
		return 0;
	},
};
