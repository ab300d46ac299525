import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";

/** Publishes a container's event with its labels, image and name, as Docker does. */
export function publishContainerEvent(
	events: EventPublisher,
	record: ContainerRecord,
	action: string,
	attributes: Readonly<Record<string, string>> = {},
): void {
	events.publish({
		type: "container",
		action,
		actorId: record.id,
		attributes: {
			...record.config.Labels,
			...attributes,
			image: record.config.Image ?? record.imageReference,
			name: record.name,
		},
	});
}
