import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";

export type ImageAction = "import" | "load" | "save" | "tag" | "untag" | "delete" | "pull" | "push";

/** Publishes an image's event: labels, and the name it was spoken of by. */
export class ImageEvents {
	constructor(readonly publisher: EventPublisher) {}

	publish(action: ImageAction, id: string, name: string, image?: ImageRecord): void {
		const labels = image?.config.config?.["Labels"];
		this.publisher.publish({
			type: "image",
			action,
			actorId: id,
			attributes: { ...(labels as Record<string, string> | null | undefined), name },
		});
	}

	pruned(reclaimedBytes: number): void {
		this.publisher.publish({
			type: "image",
			action: "prune",
			actorId: "",
			attributes: { reclaimed: String(reclaimedBytes) },
		});
	}
}
