import { ApiError } from "../../client/api-error.ts";
import { inspectDistribution } from "../../client/registries.ts";
import { parseReference } from "../../core/image/reference.ts";
import type { CliContext } from "../context.ts";
import { registryAuth } from "../image/registry-auth.ts";
import { type ManifestEntry, normalised } from "./list-file.ts";

/** What a registry says of one image, for a list. @throws ApiError, Error for an image of several platforms */
export async function fetchEntry(context: CliContext, reference: string): Promise<ManifestEntry> {
	const name = normalised(reference);
	const auth = await registryAuth(context, parseReference(reference).name);
	const found = await inspectDistribution(await context.client(), name, auth).catch((error: unknown) => {
		throw missingManifest(error, reference);
	});
	const [platform, other] = found.Platforms;
	const { mediaType, digest, size } = found.Descriptor;
	if (/index|manifest\.list/.test(mediaType)) throw new Error(`${reference} is a manifest list`);
	if (platform === undefined || other !== undefined) throw new Error(`${reference} is no image of one platform`);
	return { reference: name, descriptor: { mediaType, digest, size }, platform };
}

/** Docker's words for what the registry does not have; other failures as they are. */
export function missingManifest(error: unknown, reference: string): unknown {
	return error instanceof ApiError && error.status === 404 ? new Error(`no such manifest: ${reference}`) : error;
}
