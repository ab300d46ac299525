import type { ImageHistoryEntry } from "../../api/engine/image.ts";
import { humanSize } from "../../base/units.ts";
import { imageHistory } from "../../client/images.ts";
import type { Command } from "../command.ts";
import { ellipsis, humanAge, truncateId } from "../formatter/human.ts";
import { type Fields, writeRows } from "../formatter/rows.ts";
import { FORMAT_OPTION } from "../list-options.ts";
import { platformJson } from "./platform-json.ts";

const CREATED_BY_WIDTH = 45;

function historyFields(isHuman: boolean, isTruncated: boolean): Fields<ImageHistoryEntry> {
	const createdBy = (text: string) => text.replaceAll("\t", " ");
	const createdAt = (seconds: number) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
	return {
		ID: { header: "IMAGE", value: ({ Id }) => (isTruncated ? truncateId(Id) : Id) },
		CreatedAt: { header: "CREATED AT", value: ({ Created }) => (Created === 0 ? "N/A" : createdAt(Created)) },
		CreatedSince: {
			header: isHuman ? "CREATED" : "CREATED AT",
			value: ({ Created }) => (isHuman ? humanAge(Created) : createdAt(Created)),
		},
		CreatedBy: {
			header: "CREATED BY",
			value: ({ CreatedBy }) => (isTruncated ? ellipsis(createdBy(CreatedBy), CREATED_BY_WIDTH) : createdBy(CreatedBy)),
			leastWidth: isTruncated ? 12 : undefined,
		},
		Size: { header: "SIZE", value: ({ Size }) => (isHuman ? humanSize(Size) : String(Size)) },
		Comment: { header: "COMMENT", value: ({ Comment }) => Comment, leastWidth: isTruncated ? 8 : undefined },
	};
}

export const command: Command = {
	usage: "[OPTIONS] IMAGE",
	examples: ["gantry history --no-trunc web:1"],
	options: [
		FORMAT_OPTION,
		{ name: "human", short: "H", kind: "bool", help: "Sizes and times for people", default: "true" },
		{ name: "no-trunc", kind: "bool", help: "Shorten nothing" },
		{ name: "platform", kind: "string", help: "Platform of the image (os/architecture)" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show IDs only" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [image = ""]) {
		const platform = platformJson(options.text("platform"));
		const entries = await imageHistory(await context.client(), image, { platform });
		const fields = historyFields(options.bool("human"), !options.bool("no-trunc"));
		const format = options.text("format");
		if (options.bool("quiet") && (format === "" || format === "table"))
			for (const entry of entries) context.stdout.line(String(fields["ID"]?.value(entry)));
		else
			await writeRows(context.stdout, entries, {
				fields,
				columns: ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
				format,
			});
		return 0;
	},
};
