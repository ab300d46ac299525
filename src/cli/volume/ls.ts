import { Filters } from "../../client/filters.ts";
import { listVolumes } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { writeRows } from "../formatter/rows.ts";
import { FILTER_OPTION, FORMAT_OPTION } from "../list-options.ts";
import { VOLUME_FIELDS } from "./volume-fields.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry volume ls -f dangling=true"],
	options: [FILTER_OPTION, FORMAT_OPTION, { name: "quiet", short: "q", kind: "bool", help: "Show names only" }],
	maxArguments: 0,
	async run(context, options) {
		const { Volumes, Warnings } = await listVolumes(await context.client(), Filters.parse(options.list("filter")));
		const collator = new Intl.Collator(undefined, { numeric: true });
		const volumes = (Volumes ?? []).toSorted((a, b) => collator.compare(a.Name, b.Name));
		const isQuiet = options.bool("quiet");
		const format = options.text("format") || (isQuiet ? "" : ((await context.config()).volumesFormat ?? ""));
		if (isQuiet && (format === "" || format === "table")) for (const { Name } of volumes) context.stdout.line(Name);
		else await writeRows(context.stdout, volumes, { fields: VOLUME_FIELDS, columns: ["Driver", "Name"], format });
		for (const warning of Warnings ?? []) context.stderr.line(`WARNING: ${warning}`);
		return 0;
	},
};
