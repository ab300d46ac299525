import type { GcEntry, GcResponse } from "../../api/engine/gc.ts";
import { collectGarbage } from "../../client/gc.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { ellipsis, humanAge, humanDuration, preciseSize, truncateId } from "../formatter/human.ts";
import { layOutTable } from "../formatter/table.ts";
import type { Output } from "../output.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	description:
		'Removes images and build cache until the limits hold: those of daemon.json\'s "gc", or those given here. What containers use, what is pinned, and what was used a moment ago stays.',
	examples: [
		"gantry system gc --dry-run",
		"gantry system gc --max-used-space 20GB",
		"gantry system gc --unused-for 168h --dry-run --format json",
	],
	options: [
		{ name: "dry-run", kind: "bool", help: "Only show what would be removed, and why" },
		{ name: "format", kind: "string", help: "json, or empty for tables", check: checkFormat },
		{ name: "max-used-space", kind: "string", value: "size", help: "What images and build cache may take (20GB, 10%)" },
		{ name: "min-free-space", kind: "string", value: "size", help: "What must stay free on the disk (10GB, 5%)" },
		{ name: "no-trunc", kind: "bool", help: "Shorten no names and IDs" },
		{ name: "unused-for", kind: "string", value: "duration", help: "Remove what was not used for so long (168h)" },
		{ name: "verbose", short: "v", kind: "bool", help: "Show what stays, too" },
	],
	maxArguments: 0,
	async run(context, options) {
		const text = (name: string) => (options.has(name) ? options.text(name) : undefined);
		const result = await collectGarbage(await context.client(), {
			DryRun: options.bool("dry-run"),
			MaxUsedSpace: text("max-used-space"),
			MinFreeSpace: text("min-free-space"),
			UnusedFor: text("unused-for"),
		});
		if (options.text("format") === "json") context.stdout.line(JSON.stringify(result));
		else writeResult(context, result, { isVerbose: options.bool("verbose"), isShort: !options.bool("no-trunc") });
		return 0;
	},
};

/** Steps of builds are long. */
const NAME_LIMIT = 40;

function checkFormat(text: string): void {
	if (text !== "" && text !== "table" && text !== "json") throw new Error("must be table or json");
}

function writeResult(
	{ stdout, stderr }: CliContext,
	result: GcResponse,
	{ isVerbose, isShort }: { readonly isVerbose: boolean; readonly isShort: boolean },
): void {
	const columns = ({ Kind, Name, ID, LastUsed }: GcEntry) => [
		Kind,
		isShort ? ellipsis(Name, NAME_LIMIT) : Name,
		isShort ? truncateId(ID) : ID,
		humanAge(Date.parse(LastUsed) / 1000),
	];
	if (!result.HasLimits)
		stderr.line(
			'No limits: give --max-used-space, --min-free-space or --unused-for, or set them in daemon.json under "gc".',
		);
	if (result.Removed.length > 0) {
		stdout.line(result.DryRun ? "Would be removed:" : "Removed:");
		writeTable(stdout, [
			["KIND", "NAME", "ID", "LAST USED", "FREES", "WHY"],
			...result.Removed.map((entry) => [...columns(entry), preciseSize(entry.Freed), entry.Reason]),
		]);
	}
	if (isVerbose && result.Kept.length > 0) {
		stdout.line(result.DryRun ? "Would stay:" : "Stays:");
		writeTable(stdout, [
			["KIND", "NAME", "ID", "LAST USED", "SIZE", "WHY"],
			...result.Kept.map((entry) => [...columns(entry), preciseSize(entry.Size), entry.Reason]),
		]);
	}
	const verb = result.DryRun ? "would be freed" : "freed";
	stdout.line(`${preciseSize(result.FreedSpace)} of ${preciseSize(result.UsedSpace)} ${verb}${limits(result)}`);
	if (result.FreedSpace < result.WantedSpace)
		stderr.line(
			`The limits ask for ${preciseSize(result.WantedSpace)}: the rest is in use, pinned, or was used a moment ago (-v shows it).`,
		);
}

function limits({ MaxUsedSpace, MinFreeSpace, UnusedForMs }: GcResponse): string {
	const parts = [
		...(MaxUsedSpace === undefined ? [] : [`at most ${preciseSize(MaxUsedSpace)} used`]),
		...(MinFreeSpace === undefined ? [] : [`at least ${preciseSize(MinFreeSpace)} free`]),
		...(UnusedForMs === undefined ? [] : [`nothing unused for ${humanDuration(UnusedForMs).toLowerCase()}`]),
	];
	return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function writeTable(output: Output, lines: readonly (readonly string[])[]): void {
	output.write(`${layOutTable(lines)}\n`);
}
