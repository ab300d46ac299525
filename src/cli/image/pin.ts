import { listPins, pinImage } from "../../client/gc.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";

export const command: Command = {
	usage: "[IMAGE...]",
	description:
		"A pinned image is removed neither by the disk budget nor by a prune. A pin is on a name, whatever image has it, or on an ID; the image need not be there yet. Without names: lists the pins.",
	examples: ["gantry image pin postgres:16 nginx", "gantry image pin"],
	options: [],
	async run(context, _options, args) {
		const client = await context.client();
		if (args.length > 0) return await forEachTarget(context, args, (name) => pinImage(client, name));
		for (const pin of await listPins(client)) context.stdout.line(pin);
		return 0;
	},
};
