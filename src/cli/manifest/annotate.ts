import type { Command } from "../command.ts";
import { ManifestLists, normalised } from "./list-file.ts";
import { isPlatformOfLists } from "./platforms.ts";

export const command: Command = {
	usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
	examples: ["gantry manifest annotate --arch arm64 --variant v8 localhost:5000/app:1 localhost:5000/app:1-arm64"],
	options: [
		{ name: "arch", kind: "string", help: "Architecture" },
		{ name: "os", kind: "string", help: "Operating system" },
		{ name: "os-features", kind: "list", help: "Features of the operating system" },
		{ name: "os-version", kind: "string", help: "Version of the operating system" },
		{ name: "variant", kind: "string", help: "Variant of the architecture" },
	],
	minArguments: 2,
	maxArguments: 2,
	async run(context, options, [target = "", reference = ""]) {
		const lists = new ManifestLists(context.globals.configFolder);
		const list = await lists.get(normalised(target));
		const entry = list.entries.find((each) => each.reference === normalised(reference));
		if (entry === undefined) throw new Error(`manifest for image ${reference} does not exist in ${target}`);
		const { platform } = entry;
		if (options.has("os")) platform.os = options.text("os");
		if (options.has("arch")) platform.architecture = options.text("arch");
		if (options.has("variant")) platform.variant = options.text("variant");
		if (options.has("os-version")) platform["os.version"] = options.text("os-version");
		if (options.has("os-features"))
			platform["os.features"] = [
				...(platform["os.features"] ?? []),
				...options.list("os-features").flatMap((text) => text.split(",")),
			];
		if (!isPlatformOfLists(platform.os, platform.architecture))
			throw new Error(
				`manifest entry for image has unsupported os/arch combination: ${options.text("os")}/${options.text("arch")}`,
			);
		await lists.save(list);
		return 0;
	},
};
