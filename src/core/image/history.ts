import type { ImageHistoryEntry } from "../../api/engine/image.ts";
import type { HistoryEntry } from "../../api/oci/image.ts";
import type { ImageRecord } from "./image-record.ts";
import { familiar } from "./reference.ts";

export interface HistoryContext {
	/** Size of the layer with the index, lowest first; 0 when there is none. */
	readonly layerSize: (index: number) => number;
	readonly parentOf: (image: ImageRecord) => ImageRecord | undefined;
}

/** Newest first. Ancestors that are images here show their IDs, others `<missing>`. */
export function imageHistory(image: ImageRecord, context: HistoryContext): ImageHistoryEntry[] {
	let layer = 0;
	const steps = (image.config.history ?? []).map((entry) => {
		const size = entry.empty_layer === true ? 0 : context.layerSize(layer++);
		return historyStep(entry, size);
	});
	const entries = steps.reverse();
	let current: ImageRecord | undefined = image;
	for (const entry of entries) {
		if (current === undefined) break;
		entry.Id = current.id;
		entry.Tags = current.tags.length === 0 ? null : current.tags.map(familiar);
		current = context.parentOf(current);
	}
	return entries;
}

function historyStep(entry: HistoryEntry, size: number): ImageHistoryEntry {
	return {
		Id: "<missing>",
		Created: Math.floor(Date.parse(entry.created ?? "") / 1000) || 0,
		CreatedBy: entry.created_by ?? "",
		Tags: null,
		Size: size,
		Comment: entry.comment ?? "",
	};
}
