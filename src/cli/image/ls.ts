import { Filters } from "../../client/filters.ts";
import { listImages } from "../../client/images.ts";
import type { Command, ParsedOptions } from "../command.ts";
import { writeRows } from "../formatter/rows.ts";
import { FILTER_OPTION, FORMAT_OPTION } from "../list-options.ts";
import { imageFields, imageRows } from "./image-fields.ts";

export const command: Command = {
	usage: "[OPTIONS] [REPOSITORY[:TAG]]",
	examples: ["gantry images", "gantry images --tree", "gantry images --filter dangling=true -q"],
	options: [
		{ name: "all", short: "a", kind: "bool", help: "Show intermediate images too" },
		{ name: "digests", kind: "bool", help: "Show digests" },
		FILTER_OPTION,
		FORMAT_OPTION,
		{ name: "no-trunc", kind: "bool", help: "Shorten nothing" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show IDs only" },
		{ name: "tree", kind: "bool", help: "Show each image once, with all its names" },
	],
	maxArguments: 1,
	async run(context, options, [reference]) {
		if (options.bool("tree")) checkTree(options);
		const client = await context.client();
		const isQuiet = options.bool("quiet");
		const format = options.text("format") || (isQuiet ? "" : ((await context.config()).imagesFormat ?? ""));
		const filters = Filters.parse(options.list("filter"));
		if (reference !== undefined) filters.add("reference", reference);
		const images = await listImages(client, { all: options.bool("all"), filters });
		if (options.bool("tree")) {
			const { writeTree } = await import("./tree.ts");
			context.stdout.write(writeTree(images, options.bool("all")));
			return 0;
		}
		const hasDigests = options.bool("digests") || /\.Digest\b/.test(format);
		const fields = imageFields(!options.bool("no-trunc"));
		const rows = images.flatMap((image) => imageRows(image, hasDigests));
		if (isQuiet && (format === "" || format === "table")) {
			for (const row of rows) context.stdout.line(String(fields["ID"]?.value(row)));
			return 0;
		}
		const columns = ["Repository", "Tag", ...(options.bool("digests") ? ["Digest"] : []), "ID", "CreatedSince", "Size"];
		await writeRows(context.stdout, rows, { fields, columns, format });
		return 0;
	},
};

/** @throws Error in docker's words, which calls `--digests` by another name */
function checkTree(options: ParsedOptions): void {
	for (const [name, said = name] of [["quiet"], ["no-trunc"], ["digests", "show-digest"], ["format"]] as const)
		if (options.has(name)) throw new Error(`--${said} is not yet supported with --tree`);
}
