import type { ImageConfig } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import {
	familiar,
	formatReference,
	parseReference,
	refuseAmbiguousName,
	withDefaultTag,
} from "../../core/image/reference.ts";
import type { ImageWorkshop } from "../image/image-service.ts";
import type { BuildCache } from "./build-cache.ts";

/** Puts what was built into the image store. */
export class ImageWriter {
	constructor(
		private readonly workshop: ImageWorkshop,
		private readonly cache: BuildCache,
	) {}

	/** Names as the index has them. @throws InvalidParameterError */
	static references(tags: readonly string[]): string[] {
		return [...new Set(tags.map(normalised))];
	}

	/** Everything it stands on is on the disk before the image is. @throws SystemError */
	async write(document: ImageConfig, chain: Digest | undefined, references: readonly string[]): Promise<ImageRecord> {
		const { index, layers, events } = this.workshop;
		await this.cache.settle();
		const configBytes = Buffer.from(JSON.stringify(document));
		const image = await index.create({ configBytes, sizeBytes: layers.stackSizeBytes(chain) });
		for (const reference of references) {
			index.tag(image.id, reference);
			events.publish("tag", image.id, familiar(reference), image);
		}
		return image;
	}
}

function normalised(tag: string): string {
	try {
		const named = parseReference(tag);
		if (named.digest !== undefined) throw new InvalidParameterError("refusing to create a tag with a digest reference");
		refuseAmbiguousName(named);
		return formatReference(withDefaultTag(named));
	} catch (cause) {
		if (!(cause instanceof InvalidParameterError)) throw cause;
		throw new InvalidParameterError(`invalid tag "${tag}": ${cause.message}`, { cause });
	}
}
