import type { OptionSpec } from "./command.ts";

/** Options that many commands share. */
export const FILTER_OPTION: OptionSpec = {
	name: "filter",
	short: "f",
	kind: "list",
	value: "filter",
	help: "Only those that match (name=value)",
	check: checkFilter,
};

export const FORMAT_OPTION: OptionSpec = {
	name: "format",
	kind: "string",
	help: "table, table TEMPLATE, json, or a Go template such as {{.ID}}",
};

/** The confirmation of commands that remove much. */
export const FORCE_OPTION: OptionSpec = { name: "force", short: "f", kind: "bool", help: "Do not ask" };

export function checkFilter(text: string): void {
	if (text !== "" && !text.includes("=")) throw new Error("bad format of filter (expected name=value)");
}

/** `--filter` of prune commands, which have `-f` for `--force`. */
export const PRUNE_FILTER_OPTION: OptionSpec = {
	name: "filter",
	kind: "list",
	value: "filter",
	help: "Only those that match (until=24h, label=name=value)",
	check: checkFilter,
};
