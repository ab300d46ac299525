import type { FilesystemChange } from "../../api/engine/container.ts";
import { containerChanges } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { type Fields, writeRows } from "../formatter/rows.ts";

const KINDS = ["C", "A", "D"];

const FIELDS: Fields<FilesystemChange> = {
	Type: { header: "CHANGE TYPE", value: ({ Kind }) => KINDS[Kind] ?? "?" },
	Path: { header: "PATH", value: ({ Path }) => Path },
};

export const command: Command = {
	usage: "CONTAINER",
	description: "Prints A for what was added, C for what was changed, D for what was deleted.",
	examples: ["gantry diff web"],
	options: [],
	minArguments: 1,
	maxArguments: 1,
	async run(context, _options, [container = ""]) {
		const changes = await containerChanges(await context.client(), container);
		await writeRows(context.stdout, changes, { fields: FIELDS, columns: [], format: "{{.Type}} {{.Path}}" });
		return 0;
	},
};
