import { ApiError } from "../../client/api-error.ts";
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
			if (error instanceof ApiError) throw error; // nothing was to run: an error like any other command's
			throw (await import("./start-failure.ts")).startFailure(error, "create");
		}
	},
};
