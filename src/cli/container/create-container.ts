import type { ContainerCreateRequest } from "../../api/engine/container.ts";
import { ApiError } from "../../client/api-error.ts";
import { createContainer } from "../../client/containers.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import type { ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";

/** Creates the container, pulling its image first where `--pull` says so, and writes `--cidfile`. Returns its ID. */
export async function createFromOptions(
	context: CliContext,
	client: EngineClient,
	options: ParsedOptions,
	request: ContainerCreateRequest,
): Promise<string> {
	const cidFile = options.text("cidfile");
	if (cidFile !== "") await (await import("./cid-file.ts")).checkCidFile(cidFile);
	const pull = options.text("pull");
	if (!["always", "missing", "never", ""].includes(pull))
		throw new Error(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
	const image = request.Image ?? "";
	const target = {
		name: options.text("name"),
		platform: options.text("platform") || context.environment["DOCKER_DEFAULT_PLATFORM"] || "",
	};
	if (!/^([\w.-]+(\/[\w.-]+){0,2})?$/.test(target.platform))
		throw new Error(`error parsing specified platform: "${target.platform}": cannot parse platform specifier`);
	if (pull === "always") await pullFirst(context, options, image, target.platform);
	let created: Awaited<ReturnType<typeof createContainer>>;
	try {
		created = await createContainer(client, request, target);
	} catch (error) {
		if (
			!(error instanceof ApiError) ||
			error.status !== 404 ||
			!/no such image|does not match the specified platform/i.test(error.message) ||
			pull !== "missing"
		)
			throw error;
		if (!options.bool("quiet")) context.stderr.line(`Unable to find image '${withTag(image)}' locally`);
		await pullFirst(context, options, image, target.platform);
		created = await createContainer(client, request, target);
	}
	for (const warning of created.Warnings ?? []) context.stderr.line(`WARNING: ${warning}`);
	if (cidFile !== "") await (await import("./cid-file.ts")).writeCidFile(cidFile, created.Id);
	return created.Id;
}

async function pullFirst(context: CliContext, options: ParsedOptions, image: string, platform: string): Promise<void> {
	const { refuseContentTrust } = await import("../image/content-trust.ts");
	refuseContentTrust(context.environment, options);
	const { pullImage } = await import("../image/pull-image.ts");
	await pullImage(context, image, { platform, isQuiet: options.bool("quiet"), output: context.stderr });
}

/** The image as it is looked for: with its tag or digest spelled out. */
export function withTag(image: string): string {
	return image.includes("@") || image.slice(image.lastIndexOf("/") + 1).includes(":") ? image : `${image}:latest`;
}
