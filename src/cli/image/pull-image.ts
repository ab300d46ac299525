import { pullImage as requestPull } from "../../client/images.ts";
import type { CliContext } from "../context.ts";
import type { Output } from "../output.ts";
import { onlyErrors, showProgress } from "./progress.ts";
import { splitImageName } from "./reference.ts";
import { registryAuth } from "./registry-auth.ts";

export interface PullOptions {
	platform: string;
	isQuiet: boolean;
	/** All tags of the repository. */
	hasAllTags?: boolean;
	output: Output;
}

/** Has the daemon pull an image and shows how it goes. @throws ApiError, ExitError */
export async function pullImage(context: CliContext, image: string, options: PullOptions): Promise<void> {
	const { repository, tag } = splitImageName(image);
	const messages = requestPull(await context.client(), {
		fromImage: repository,
		tag: options.hasAllTags ? "" : tag || "latest",
		platform: options.platform,
		registryAuth: await registryAuth(context, repository),
	});
	await showProgress(options.isQuiet ? onlyErrors(messages) : messages, options.output);
}
