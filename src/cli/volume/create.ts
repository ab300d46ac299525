import { createVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { toMap } from "../container/process-options.ts";

export const command: Command = {
	usage: "[OPTIONS] [VOLUME]",
	examples: [
		"gantry volume create data",
		"gantry volume create -o type=ext4 -o size=10g limited",
		"gantry volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch",
		"gantry volume create -d sshfs -o sshcmd=me@host:/files remote",
	],
	options: [
		{ name: "driver", short: "d", kind: "string", help: "Volume driver", default: "local" },
		{ name: "label", kind: "list", help: "Set a label (name=value)" },
		{ name: "name", kind: "string", help: "Name of the volume", hidden: true },
		{ name: "opt", short: "o", kind: "list", value: "map", help: "Option of the driver (name=value)" },
	],
	maxArguments: 1,
	async run(context, options, [name]) {
		if (name !== undefined && options.has("name"))
			throw new Error("conflicting options: cannot specify a volume-name through both --name and as a positional arg");
		const volume = await createVolume(await context.client(), {
			Name: name ?? options.text("name"),
			Driver: options.text("driver"),
			DriverOpts: toMap(options.list("opt")),
			Labels: toMap(options.list("label")),
		});
		context.stdout.line(volume.Name);
		return 0;
	},
};
