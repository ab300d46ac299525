import { fetchManifest, inspectDistribution } from "../../client/registries.ts";
import { parseReference } from "../../core/image/reference.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { registryAuth } from "../image/registry-auth.ts";
import { indexOf, type ManifestList, ManifestLists, normalised } from "./list-file.ts";

export const command: Command = {
	usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
	examples: ["gantry manifest inspect nginx", "gantry manifest inspect --verbose localhost:5000/app:1"],
	options: [
		{ name: "insecure", kind: "bool", help: "Without effect: the daemon's settings say which registries are insecure" },
		{ name: "verbose", short: "v", kind: "bool", help: "Show descriptors and platforms, too" },
	],
	minArguments: 1,
	maxArguments: 2,
	async run(context, options, names) {
		const lists = new ManifestLists(context.globals.configFolder);
		const [first = "", second] = names;
		const list = await lists.find(normalised(first));
		const value =
			second === undefined
				? await inspectOne(context, first, list, options.bool("verbose"))
				: entryOf(await lists.get(normalised(first)), second);
		context.stdout.line(JSON.stringify(value, undefined, "\t"));
		return 0;
	},
};

/** One that is being put together here wins, as long as it is not pushed and purged. */
async function inspectOne(context: CliContext, reference: string, list: ManifestList | undefined, isVerbose: boolean) {
	if (list !== undefined) return JSON.parse(indexOf(list).text) as unknown;
	const auth = await registryAuth(context, parseReference(reference).name);
	const client = await context.client();
	const { content, digest, mediaType } = await fetchManifest(client, normalised(reference), auth);
	const bytes = Buffer.from(content, "base64");
	const manifest: unknown = JSON.parse(bytes.toString("utf8"));
	if (!isVerbose) return manifest;
	const { Platforms } = await inspectDistribution(client, normalised(reference), auth);
	const isIndex = /index|manifest\.list/.test(mediaType);
	return {
		Ref: normalised(reference),
		Descriptor: {
			mediaType,
			digest,
			size: bytes.length,
			...(isIndex || Platforms[0] === undefined ? {} : { platform: Platforms[0] }),
		},
		Raw: content,
		...(isIndex ? { Index: manifest } : { [mediaType.includes("oci") ? "OCIManifest" : "SchemaV2Manifest"]: manifest }),
	};
}

function entryOf(list: ManifestList, reference: string) {
	const entry = list.entries.find((each) => each.reference === normalised(reference));
	if (entry === undefined) throw new Error(`No such manifest: ${reference}`);
	return { Ref: entry.reference, Descriptor: { ...entry.descriptor, platform: entry.platform } };
}
