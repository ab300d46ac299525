import type { Command } from "../command.ts";
import { createFromOptions } from "./create-container.ts";
import { CREATE_OPTIONS } from "./create-options.ts";
import { buildCreateRequest } from "./create-request.ts";

export const command: Command = {
	usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	examples: ["gantry create --name web -p 8080:80 nginx", "gantry start web"],
	options: CREATE_OPTIONS,
	isInterspersed: false,
	minArguments: 1,
	async run(context, options, args) {
		try {
			const [client, request] = await Promise.all([
				context.client(),
				buildCreateRequest(options, args, context.environment),
			]);
			context.stdout.line(await createFromOptions(context, client, options, request));
			return 0;
		} catch (error) {
			throw (await import("./start-failure.ts")).startFailure(error, "create");
		}
	},
};
