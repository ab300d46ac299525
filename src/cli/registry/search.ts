import type { SearchResponse } from "../../api/engine/registry.ts";
import { Filters } from "../../client/filters.ts";
import { searchRegistry } from "../../client/registries.ts";
import type { Command } from "../command.ts";
import { type Fields, writeRows } from "../formatter/rows.ts";
import { registryAuth } from "../image/registry-auth.ts";
import { FILTER_OPTION } from "../list-options.ts";

const DESCRIPTION_LENGTH = 45;

export const command: Command = {
	usage: "[OPTIONS] TERM",
	examples: ["gantry search nginx", "gantry search --filter is-official=true localhost:5000/web"],
	options: [
		FILTER_OPTION,
		{ name: "format", kind: "string", help: "A Go template such as {{.Name}}" },
		{ name: "limit", kind: "string", value: "int", help: "Show so many at most", default: "0", check: checkLimit },
		{ name: "no-trunc", kind: "bool", help: "Shorten nothing" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [term = ""]) {
		const filters = Filters.parse(options.list("filter"));
		const found = await searchRegistry(await context.client(), {
			term,
			limit: Number(options.text("limit")),
			filters,
			registryAuth: await registryAuth(context, term),
		});
		const rows = [...found].sort((a, b) => b.star_count - a.star_count);
		const format = options.text("format");
		const plain = searchFields(options.bool("no-trunc"));
		const fields = format === "json" ? { ...plain, ...JSON_FIELDS } : plain;
		const columns = ["Name", "Description", "StarCount", "IsOfficial"];
		await writeRows(context.stdout, rows, { fields, columns, format });
		return 0;
	},
};

function searchFields(isWhole: boolean): Fields<SearchResponse> {
	const description = ({ description }: SearchResponse) => {
		const text = description.replace(/[\r\n]+/g, " ");
		return isWhole || text.length <= DESCRIPTION_LENGTH ? text : `${text.slice(0, DESCRIPTION_LENGTH - 1)}…`;
	};
	return {
		Name: { header: "NAME", value: ({ name }) => name },
		Description: { header: "DESCRIPTION", value: description, leastWidth: isWhole ? undefined : 12 },
		StarCount: { header: "STARS", value: ({ star_count }) => star_count },
		IsOfficial: { header: "OFFICIAL", value: ({ is_official }) => (is_official ? "[OK]" : "") },
		IsAutomated: { header: "AUTOMATED", value: () => "", isHidden: true },
	};
}

/** Docker writes everything as text there. */
const JSON_FIELDS: Fields<SearchResponse> = {
	StarCount: { header: "", value: ({ star_count }) => String(star_count) },
	IsOfficial: { header: "", value: ({ is_official }) => String(is_official) },
};

function checkLimit(text: string): void {
	if (!/^\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing "${text}": invalid syntax`);
}
