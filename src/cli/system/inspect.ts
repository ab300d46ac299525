import { ApiError } from "../../client/api-error.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { type InspectKind, inspectText } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { INSPECT_FORMAT_OPTION, inspectObjects, MissingObjectError } from "../inspect-objects.ts";

const KINDS: readonly InspectKind[] = ["container", "image", "network", "volume"];

export const command: Command = {
	usage: "[OPTIONS] NAME|ID [NAME|ID...]",
	examples: ["gantry inspect -f '{{.State.Status}}' web", "gantry inspect --type volume data"],
	options: [
		INSPECT_FORMAT_OPTION,
		{ name: "size", short: "s", kind: "bool", help: "Show sizes of containers" },
		{ name: "type", kind: "string", help: "What it is: container, image, network, volume" },
	],
	minArguments: 1,
	async run(context, options, args) {
		const client = await context.client();
		const type = options.text("type");
		const query = { size: options.bool("size") };
		if (options.has("type") && type === "") throw new Error("type is empty: a type must be specified");
		const kind = KINDS.find((candidate) => candidate === type);
		if (type !== "" && kind === undefined)
			throw new Error(
				`unknown type: ${JSON.stringify(type)}: must be one of ${KINDS.map((name) => `"${name}"`).join(", ")}`,
			);
		return await inspectObjects(context, args, options.text("format"), (name) =>
			kind === undefined
				? inspectAny(client, name, query)
				: inspectText(client, kind, name, kind === "container" ? query : {}),
		);
	},
};

async function inspectAny(client: EngineClient, name: string, query: { size: boolean }): Promise<string> {
	for (const kind of KINDS) {
		try {
			return await inspectText(client, kind, name, kind === "container" ? query : {});
		} catch (error) {
			// What can't be the name of one kind may be that of another.
			const isOther = error instanceof ApiError && (error.status === 404 || error.status === 400);
			if (!isOther) throw error;
		}
	}
	throw new MissingObjectError(name);
}
