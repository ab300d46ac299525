import type { ImageConfig } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import type { LayerRegistry } from "../image/layer-registry.ts";
import type { StageViews } from "./stage-views.ts";

export interface SquashDependencies {
	readonly layers: LayerRegistry;
	readonly snapshotter: Snapshotter;
	readonly applier: LayerApplier;
}

export interface SquashInput {
	readonly document: ImageConfig;
	readonly chain: Digest | undefined;
	readonly baseChain: Digest | undefined;
	/** Entries of the document's history that are the base's. */
	readonly baseHistory: number;
}

const EMPTY_TAR_BYTES = 1024;

/** All layers of the build as one on the base: the difference between the two trees. What was removed again is in none. */
export async function squash(
	{ layers, snapshotter, applier }: SquashDependencies,
	input: SquashInput,
	views: StageViews,
	lease: LayerLease,
): Promise<{ readonly document: ImageConfig; readonly chain: Digest | undefined }> {
	const { document, chain, baseChain, baseHistory } = input;
	if (chain === baseChain) return { document, chain };
	const tree = await views.path(chain);
	const lowers = baseChain === undefined ? [] : snapshotter.stack(baseChain);
	const layer = await layers.unpack(
		{ parent: baseChain, open: () => applier.diff(tree, lowers, { wholeTree: true }) },
		lease,
	);
	const isEmpty = layer.tarSizeBytes <= EMPTY_TAR_BYTES;
	const top = isEmpty ? baseChain : layer.chainId;
	const diffIds = layers
		.stack(top)
		.map(({ diffId }) => diffId)
		.reverse();
	const history = (document.history ?? []).map((entry, index) =>
		index < baseHistory ? entry : { ...entry, empty_layer: true },
	);
	const created = document.created === undefined ? {} : { created: document.created };
	const merged = { ...created, comment: "squashed", ...(isEmpty ? { empty_layer: true } : {}) };
	return {
		document: { ...document, rootfs: { type: "layers", diff_ids: diffIds }, history: [...history, merged] },
		chain: top,
	};
}
