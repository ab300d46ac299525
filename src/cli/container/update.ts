import type { ContainerUpdateRequest } from "../../api/engine/container.ts";
import { updateContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { forEachTarget } from "../for-each-target.ts";
import { CREATE_OPTIONS } from "./create-options.ts";
import { parseRestartPolicy, updatableResources } from "./create-request.ts";

const NAMES = new Set([
	"blkio-weight",
	"cpu-period",
	"cpu-quota",
	"cpu-rt-period",
	"cpu-rt-runtime",
	"cpu-shares",
	"cpus",
	"cpuset-cpus",
	"cpuset-mems",
	"kernel-memory",
	"memory",
	"memory-reservation",
	"memory-swap",
	"pids-limit",
	"restart",
]);

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [CONTAINER...]",
	examples: [
		"gantry update -m 1g --memory-swap 2g web",
		"gantry update --restart unless-stopped web db",
		"gantry update --publish-add 8443:443 --publish-rm 8080:80 web",
	],
	options: [
		...CREATE_OPTIONS.filter(({ name }) => NAMES.has(name)).map((spec) => ({ ...spec, default: "" })),
		{ name: "publish-add", kind: "list", help: "Publish a port of a running container ([address:][host port:]port)" },
		{
			name: "publish-rm",
			kind: "list",
			help: "Take a published port back (as it was published, or the container's port)",
		},
	],
	minArguments: 1,
	async run(context, options, args) {
		const added = options.list("publish-add");
		const removed = options.list("publish-rm");
		if (![...NAMES, "publish-add", "publish-rm"].some((name) => options.has(name)))
			throw new Error("you must provide one or more flags when using this command");
		const request: ContainerUpdateRequest = updatableResources(options);
		if (options.has("restart")) request.RestartPolicy = parseRestartPolicy(options.text("restart"));
		if (added.length > 0 || removed.length > 0) {
			const { parsePorts } = await import("./port-options.ts");
			request.PublishAdd = parsePorts(added, []).bindings;
			request.PublishRm = parsePorts(removed, []).bindings;
		}
		const client = await context.client();
		return await forEachTarget(context, args, async (name) => {
			const { Warnings } = await updateContainer(client, name, request);
			for (const warning of Warnings ?? []) context.stderr.line(warning);
		});
	},
};
