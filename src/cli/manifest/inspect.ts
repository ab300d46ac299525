import { type Index, MEDIA_TYPE, type Platform } from "../../api/oci/image.ts";
import { sha256 } from "../../base/digest.ts";
import { fetchManifest, inspectDistribution } from "../../client/registries.ts";
import { familiar, parseReference, splitReference } from "../../core/image/reference.ts";
import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { registryAuth } from "../image/registry-auth.ts";
import { missingManifest } from "./entry.ts";
import { indexOf, inOrder, type ManifestEntry, type ManifestList, ManifestLists, normalised } from "./list-file.ts";

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
		const isVerbose = options.bool("verbose");
		const [first = "", second] = names;
		if (second !== undefined) {
			const entry = entryOf(await lists.get(normalised(first)), second);
			print(context, isVerbose ? await entryDetails(context, entry) : await fetchOf(context, entry));
			return 0;
		}
		// One that is being put together here wins, as long as it is not pushed and purged.
		const list = await lists.find(normalised(first));
		if (list !== undefined && isVerbose)
			print(context, await Promise.all(list.entries.map((entry) => entryDetails(context, entry))));
		else {
			const found = list === undefined ? await fetch(context, first) : localList(list);
			print(context, isVerbose ? await allDetails(context, first, found) : found);
		}
		return 0;
	},
};

interface Found {
	readonly mediaType: string;
	readonly digest: string;
	readonly text: string;
}

function localList(list: ManifestList): Found {
	const { mediaType, text } = indexOf(list);
	return { mediaType, digest: sha256(text), text };
}

function fetchOf(context: CliContext, { reference, descriptor }: ManifestEntry): Promise<Found> {
	return fetch(context, familiar(reference), `${splitReference(reference).name}@${descriptor.digest}`);
}

async function entryDetails(context: CliContext, entry: ManifestEntry): Promise<unknown> {
	return details(entry.reference, await fetchOf(context, entry), entry.platform);
}

/** @param reference what to ask for, when it is not what the user wrote */
async function fetch(context: CliContext, written: string, reference = normalised(written)): Promise<Found> {
	const auth = await registryAuth(context, parseReference(written).name);
	try {
		const { content, digest, mediaType } = await fetchManifest(await context.client(), reference, auth);
		return { digest, mediaType, text: Buffer.from(content, "base64").toString("utf8") };
	} catch (error) {
		throw missingManifest(error, written);
	}
}

/** What is known of one image, or of each in an index. */
async function allDetails(context: CliContext, written: string, found: Found): Promise<unknown> {
	const { name } = parseReference(written);
	if (!isIndex(found)) {
		const auth = await registryAuth(context, name);
		const { Platforms } = await inspectDistribution(await context.client(), normalised(written), auth);
		return details(normalised(written), found, Platforms[0]);
	}
	const { manifests } = JSON.parse(found.text) as Index;
	const all: unknown[] = [];
	for (const { digest, platform } of manifests) {
		const reference = `${name}@${digest}`;
		all.push(details(reference, await fetch(context, written, reference), platform));
	}
	return all;
}

function details(reference: string, found: Found, platform: Platform | undefined) {
	const { mediaType, digest, text } = found;
	const size = Buffer.byteLength(text);
	return {
		Ref: reference,
		Descriptor: { mediaType, digest, size, ...(platform === undefined ? {} : { platform: inOrder(platform) }) },
		Raw: Buffer.from(text).toString("base64"),
		[mediaType.includes("oci") ? "OCIManifest" : "SchemaV2Manifest"]: JSON.parse(text) as unknown,
	};
}

function print(context: CliContext, value: unknown): void {
	const isFound = typeof value === "object" && value !== null && "text" in value;
	const document: unknown = isFound ? JSON.parse((value as Found).text) : value;
	context.stdout.line(JSON.stringify(document, undefined, isFound && isIndex(value as Found) ? 3 : "\t"));
}

function isIndex({ mediaType }: Found): boolean {
	return mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerManifestList;
}

function entryOf(list: ManifestList, reference: string): ManifestEntry {
	const entry = list.entries.find((each) => each.reference === normalised(reference));
	if (entry === undefined) throw new Error(`No such manifest: ${reference}`);
	return entry;
}
