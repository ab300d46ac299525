import type { Readable } from "node:stream";
import type { ContainerConfig } from "../../api/engine/container.ts";
import type { ProgressMessage } from "../../api/engine/image.ts";
import type { ImageConfig, Platform } from "../../api/oci/image.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { applyChanges } from "../../core/image/config-changes.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { parsePlatform } from "../../core/image/platform.ts";
import { familiar, formatReference, type NamedReference, referenceFromParts } from "../../core/image/reference.ts";
import { timestamp } from "../../core/image/timestamp.ts";
import { abortable } from "./abortable.ts";
import type { ImageEvents } from "./image-events.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerRegistry } from "./layer-registry.ts";

export interface ImportOptions {
	readonly repository: string;
	readonly tag: string;
	readonly message: string;
	readonly changes: readonly string[];
	readonly platform: string;
}

export interface ImportDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly platform: Platform;
	readonly engineVersion: string;
	readonly now: () => number;
}

/** A one-layer image from a tar of a root file system. */
export class ImageImporter {
	constructor(readonly deps: ImportDependencies) {}

	async *import(source: Readable, options: ImportOptions, signal: AbortSignal): AsyncGenerator<ProgressMessage> {
		const { index, layers, events } = this.deps;
		// All that can be wrong with the request, before the archive is read.
		const reference = options.repository === "" ? undefined : tagReference(options);
		const platform = options.platform === "" ? this.deps.platform : parsePlatform(options.platform);
		const config = applyChanges({}, options.changes);
		using lease = layers.lease();
		using upload = abortable(source, signal);
		const layer = await upload.run(() => layers.unpack({ parent: undefined, open: () => source }, lease));
		const image = await index.create({
			configBytes: this.#config(config, platform, options.message, [layer.diffId]),
			sizeBytes: layers.stackSizeBytes(layer.chainId),
		});
		if (reference !== undefined) this.#tag(image, reference);
		events.publish("import", image.id, image.id, image);
		yield { status: image.id };
	}

	#config(
		config: ContainerConfig,
		platform: Platform,
		message: string,
		diffIds: ImageConfig["rootfs"]["diff_ids"],
	): Uint8Array {
		const created = timestamp(this.deps.now());
		const comment = message === "" ? "Imported from -" : message;
		const image: ImageConfig = {
			architecture: platform.architecture,
			...(platform.variant === undefined ? {} : { variant: platform.variant }),
			os: platform.os,
			created,
			comment,
			docker_version: this.deps.engineVersion,
			config: { ...config },
			rootfs: { type: "layers", diff_ids: diffIds },
			history: [{ created, comment }],
		};
		return Buffer.from(JSON.stringify(image));
	}

	#tag(image: ImageRecord, reference: NamedReference): void {
		const name = formatReference(reference);
		this.deps.index.tag(image.id, name);
		this.deps.events.publish("tag", image.id, familiar(name), image);
	}
}

function tagReference(options: ImportOptions): NamedReference {
	const reference = referenceFromParts(options.repository, options.tag);
	if (reference.digest !== undefined) throw new InvalidParameterError("cannot import digest reference");
	return reference;
}
