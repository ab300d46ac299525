import { inspectVolume, updateVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";

export const command: Command = {
	usage: "[OPTIONS] VOLUME",
	description: "Changes a cluster volume; no other can be changed.",
	examples: ["gantry volume update --availability drain data"],
	options: [
		{
			name: "availability",
			kind: "string",
			help: "Cluster volume availability: active, pause, drain",
			default: "active",
		},
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [name = ""]) {
		const client = await context.client();
		const volume = await inspectVolume(client, name);
		if (volume.ClusterVolume === undefined || volume.ClusterVolume === null)
			throw new Error("can only update cluster volumes");
		await updateVolume(client, name, options.text("availability"));
		return 0;
	},
};
