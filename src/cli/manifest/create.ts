import type { Command } from "../command.ts";
import { fetchEntry } from "./entry.ts";
import { ManifestLists, normalised } from "./list-file.ts";

export const command: Command = {
	usage: "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
	examples: ["gantry manifest create localhost:5000/app:1 localhost:5000/app:1-amd64 localhost:5000/app:1-arm64"],
	options: [
		{ name: "amend", short: "a", kind: "bool", help: "Add to a list that exists" },
		{ name: "insecure", kind: "bool", help: "Without effect: the daemon's settings say which registries are insecure" },
	],
	minArguments: 2,
	async run(context, options, [target = "", ...references]) {
		const lists = new ManifestLists(context.globals.configFolder);
		const name = normalised(target);
		const existing = await lists.find(name);
		if (existing !== undefined && !options.bool("amend"))
			throw new Error(`refusing to amend an existing manifest list with no --amend flag`);
		const list = existing ?? { name, entries: [] };
		for (const reference of references) {
			const entry = await fetchEntry(context, reference);
			list.entries = [...list.entries.filter((other) => other.reference !== entry.reference), entry];
		}
		await lists.save(list);
		context.stdout.line(`Created manifest list ${name}`);
		return 0;
	},
};
