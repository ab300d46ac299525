import { pushIndex } from "../../client/registries.ts";
import { familiar, splitReference } from "../../core/image/reference.ts";
import type { Command } from "../command.ts";
import { registryAuth } from "../image/registry-auth.ts";
import { indexOf, ManifestLists, normalised } from "./list-file.ts";

export const command: Command = {
	usage: "[OPTIONS] MANIFEST_LIST",
	options: [
		{ name: "insecure", kind: "bool", help: "Without effect: the daemon's settings say which registries are insecure" },
		{ name: "purge", short: "p", kind: "bool", help: "Delete the list here after the push" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [target = ""]) {
		const lists = new ManifestLists(context.globals.configFolder);
		const list = await lists.get(normalised(target));
		const { mediaType, text } = indexOf(list);
		const sources = list.entries.map(
			({ reference, descriptor }) => `${splitReference(reference).name}@${descriptor.digest}`,
		);
		const { digest } = await pushIndex(
			await context.client(),
			list.name,
			{
				mediaType,
				content: Buffer.from(text).toString("base64"),
				sources,
			},
			await registryAuth(context, list.name),
		);
		const { name } = splitReference(list.name);
		for (const { descriptor } of list.entries)
			context.stdout.line(`Pushed ref ${familiar(name)}@${descriptor.digest} with digest: ${descriptor.digest}`);
		context.stdout.line(digest);
		if (options.bool("purge")) await lists.remove(list.name);
		return 0;
	},
};
