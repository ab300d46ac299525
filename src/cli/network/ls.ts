import { Filters } from "../../client/filters.ts";
import { listNetworks } from "../../client/networks.ts";
import type { Command } from "../command.ts";
import { writeRows } from "../formatter/rows.ts";
import { FILTER_OPTION, FORMAT_OPTION } from "../list-options.ts";
import { networkFields } from "./network-fields.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry network ls -f driver=bridge"],
	options: [
		FILTER_OPTION,
		FORMAT_OPTION,
		{ name: "no-trunc", kind: "bool", help: "Shorten nothing" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show IDs only" },
	],
	maxArguments: 0,
	async run(context, options) {
		const networks = await listNetworks(await context.client(), Filters.parse(options.list("filter")));
		const collator = new Intl.Collator(undefined, { numeric: true });
		networks.sort((a, b) => collator.compare(a.Name, b.Name));
		const fields = networkFields(!options.bool("no-trunc"));
		const isQuiet = options.bool("quiet");
		const format = options.text("format") || (isQuiet ? "" : ((await context.config()).networksFormat ?? ""));
		if (isQuiet && (format === "" || format === "table"))
			for (const network of networks) context.stdout.line(String(fields["ID"]?.value(network)));
		else await writeRows(context.stdout, networks, { fields, columns: ["ID", "Name", "Driver", "Scope"], format });
		return 0;
	},
};
