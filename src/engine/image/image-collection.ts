import type { Digest } from "../../base/digest.ts";
import { shortId } from "../../base/ids.ts";
import type { GcConsumer, GcItem, GcPart } from "../../core/gc/consumer.ts";
import type { ContainerImageUse } from "../../core/image/container-image-use.ts";
import { matchReference } from "../../core/image/image-filters.ts";
import type { ImageRecord, LayerRecord } from "../../core/image/image-record.ts";
import { familiar } from "../../core/image/reference.ts";
import type { ImageEvents } from "./image-events.ts";
import { type ImageIndex, referencesOf } from "./image-index.ts";
import type { ImagePins } from "./image-pins.ts";
import type { ImageRemover } from "./image-removal.ts";
import type { ImageUses } from "./image-uses.ts";
import type { LayerRegistry } from "./layer-registry.ts";

export interface ImageCollectionDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly remover: ImageRemover;
	readonly containers: ContainerImageUse;
	readonly uses: ImageUses;
	readonly pins: ImagePins;
	readonly events: ImageEvents;
}

/** Images as the collector of the disk budget sees them. */
export class ImageCollection implements GcConsumer {
	readonly kind = "image";
	readonly #deps: ImageCollectionDependencies;

	constructor(deps: ImageCollectionDependencies) {
		this.#deps = deps;
	}

	items(keep: readonly string[]): GcItem[] {
		const { index, uses } = this.#deps;
		const users = this.#users();
		const children = new Map<Digest, Digest[]>();
		for (const { id, parent } of index.all())
			if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), id]);
		return index.all().map((image) => ({
			id: image.id,
			name: nameOf(image),
			lastUsedAt: uses.lastUsedAt(image.id),
			isExpendable: image.tags.length === 0,
			parts: this.#parts(this.#deps.layers.stack(image.chainId)),
			keptBecause: this.#keptBecause(image, users, keep),
			dependants: children.get(image.id) ?? [],
		}));
	}

	heldParts(): GcPart[] {
		return this.#parts(this.#deps.layers.held());
	}

	async remove(id: string, plannedAt: number, keep: readonly string[]): Promise<number | undefined> {
		const { index, remover, uses } = this.#deps;
		const isStillUnneeded = (image: ImageRecord) =>
			uses.lastUsedAt(id) <= plannedAt && this.#keptBecause(image, this.#users(), keep) === undefined;
		const image = index.byId(id);
		return image === undefined ? undefined : await remover.collect(image.id, isStillUnneeded);
	}

	collected(freedBytes: number): void {
		this.#deps.events.pruned(freedBytes);
	}

	#keptBecause(image: ImageRecord, users: ReadonlyMap<Digest, string>, keep: readonly string[]): string | undefined {
		const user = users.get(image.id);
		if (user !== undefined) return `container ${shortId(user)} uses it`;
		const pin = this.#deps.pins.of(image);
		if (pin !== undefined) return `pinned as ${pin}`;
		const pattern = keep.find((each) => referencesOf(image).some((reference) => matchReference(each, reference)));
		if (pattern !== undefined) return `kept by ${pattern}`;
		const isLeased = image.chainId !== undefined && this.#deps.layers.isLeased(image.chainId);
		return isLeased ? "a running operation uses it" : undefined;
	}

	/** One container of each used image. */
	#users(): ReadonlyMap<Digest, string> {
		return new Map(this.#deps.containers.users().map(({ imageId, id }) => [imageId, id]));
	}

	#parts(layers: readonly LayerRecord[]): GcPart[] {
		return layers.map(({ chainId }) => ({ id: chainId, sizeBytes: this.#deps.layers.sizeBytes(chainId) }));
	}
}

function nameOf(image: ImageRecord): string {
	const [reference] = referencesOf(image);
	return reference === undefined ? shortId(image.id) : familiar(reference);
}
