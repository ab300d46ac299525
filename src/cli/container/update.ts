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
	examples: ["gantry update -m 1g --memory-swap 2g web", "gantry update --restart unless-stopped web db"],
	options: CREATE_OPTIONS.filter(({ name }) => NAMES.has(name)).map((spec) => ({ ...spec, default: "" })),
	minArguments: 1,
	async run(context, options, args) {
		if (![...NAMES].some((name) => options.has(name)))
			throw new Error("you must provide one or more flags when using this command");
		const request: ContainerUpdateRequest = updatableResources(options);
		if (options.has("restart")) request.RestartPolicy = parseRestartPolicy(options.text("restart"));
		const client = await context.client();
		return await forEachTarget(context, args, async (name) => {
			const { Warnings } = await updateContainer(client, name, request);
			for (const warning of Warnings ?? []) context.stderr.line(warning);
		});
	},
};
