import type { ContainerConfig } from "../../api/engine/container.ts";
import type { HistoryEntry, ImageConfig, Platform } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import { applyChanges } from "../../core/image/config-changes.ts";
import type { ContainerImageUse } from "../../core/image/container-image-use.ts";
import type { ImageRecord, LayerRecord } from "../../core/image/image-record.ts";
import { familiar, formatReference, referenceFromParts } from "../../core/image/reference.ts";
import { timestamp } from "../../core/image/timestamp.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { ImageEvents } from "./image-events.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerLease } from "./layer-lease.ts";
import type { LayerRegistry } from "./layer-registry.ts";

export interface CommitOptions {
	readonly container: string;
	readonly repository: string;
	readonly tag: string;
	readonly comment: string;
	readonly author: string;
	readonly pause: boolean;
	readonly changes: readonly string[];
	readonly config: ContainerConfig | undefined;
}

export interface CommitDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly containers: ContainerImageUse;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
	readonly platform: Platform;
	readonly engineVersion: string;
	readonly now: () => number;
}

/** A tar without members: two zero blocks. */
const EMPTY_LAYER_BYTES = 1024;

/** An image from what a container changed. */
export class ImageCommitter {
	constructor(readonly deps: CommitDependencies) {}

	/** @throws NotFoundError, InvalidParameterError */
	async commit(options: CommitOptions): Promise<{ Id: string }> {
		const { index, layers, events, containers } = this.deps;
		const tag =
			options.repository === "" ? undefined : formatReference(referenceFromParts(options.repository, options.tag));
		const container = containers.find(options.container);
		const config = applyChanges({ ...container.config, ...definedFields(options.config) }, options.changes);
		using lease = layers.lease();
		const image = await containers.whileStill(container.id, options.pause, async () => {
			const layer = await this.#layer(container.id, lease);
			const base = index.byId(container.imageId);
			const configBytes = this.#config(base, container.config, config, options, layer);
			const chain = layer.isEmpty ? layer.parent : layer.record.chainId;
			const parent = base === undefined ? undefined : container.imageId;
			return index.create({ configBytes, parent, sizeBytes: layers.stackSizeBytes(chain) });
		});
		if (tag !== undefined) {
			index.tag(image.id, tag);
			events.publish("tag", image.id, familiar(tag), image);
		}
		const reference = tag === undefined ? "" : familiar(tag);
		containers.committed(container.id, { id: image.id, reference, comment: options.comment });
		return { Id: image.id };
	}

	async #layer(containerId: string, lease: LayerLease): Promise<CommittedLayer> {
		const { snapshotter, applier, layers } = this.deps;
		const { parent, upperPath, lowerPaths, isWholeTree } = snapshotter.find(containerId);
		const open = () => applier.diff(upperPath, lowerPaths, { wholeTree: isWholeTree });
		const record = await layers.unpack({ parent, open }, lease);
		const isEmpty = record.tarSizeBytes <= EMPTY_LAYER_BYTES;
		const diffIds = layers
			.stack(isEmpty ? parent : record.chainId)
			.map(({ diffId }) => diffId)
			.reverse();
		return { record, parent, isEmpty, diffIds };
	}

	#config(
		base: ImageRecord | undefined,
		containerConfig: ContainerConfig,
		config: ContainerConfig,
		options: CommitOptions,
		layer: CommittedLayer,
	): Uint8Array {
		const created = timestamp(this.deps.now());
		const step: HistoryEntry = {
			created,
			...(options.author === "" ? {} : { author: options.author }),
			created_by: (containerConfig.Cmd ?? []).join(" "),
			...(options.comment === "" ? {} : { comment: options.comment }),
			...(layer.isEmpty ? { empty_layer: true } : {}),
		};
		const { architecture, os, variant } = base?.config ?? this.deps.platform;
		const image: ImageConfig = {
			architecture,
			...(variant === undefined ? {} : { variant }),
			os,
			created,
			...(options.author === "" ? {} : { author: options.author }),
			...(options.comment === "" ? {} : { comment: options.comment }),
			docker_version: this.deps.engineVersion,
			config: { ...config },
			rootfs: { type: "layers", diff_ids: [...layer.diffIds] },
			history: [...(base?.config.history ?? []), step],
		};
		return Buffer.from(JSON.stringify(image));
	}
}

interface CommittedLayer {
	readonly record: LayerRecord;
	readonly parent: Digest | undefined;
	/** Nothing was changed: the image has no layer of its own. */
	readonly isEmpty: boolean;
	readonly diffIds: readonly Digest[];
}

/** What the client sends has every field, most of them empty. */
function definedFields(config: ContainerConfig | undefined): Partial<ContainerConfig> {
	const entries = Object.entries(config ?? {}).filter(([, value]) => !isEmptyValue(value));
	return Object.fromEntries(entries);
}

function isEmptyValue(value: unknown): boolean {
	if (value === null || value === undefined || value === "" || value === false || value === 0) return true;
	return Array.isArray(value) ? value.length === 0 : typeof value === "object" && Object.keys(value).length === 0;
}
