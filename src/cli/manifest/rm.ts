import type { Command } from "../command.ts";
import { ExitError } from "../usage-error.ts";
import { ManifestLists, normalised } from "./list-file.ts";

export const command: Command = {
	usage: "MANIFEST_LIST [MANIFEST_LIST...]",
	options: [],
	minArguments: 1,
	async run(context, _options, targets) {
		const lists = new ManifestLists(context.globals.configFolder);
		const missing: string[] = [];
		for (const target of targets)
			if (!(await lists.remove(normalised(target)))) missing.push(`No such manifest: ${target}`);
		if (missing.length > 0) throw new ExitError(1, missing.join("\n"));
		return 0;
	},
};
