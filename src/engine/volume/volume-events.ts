import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { VolumeRecord } from "../../core/volume/volume-record.ts";

export function publishVolumeEvent(
	events: EventPublisher,
	{ name, driver }: VolumeRecord,
	action: string,
	attributes: Readonly<Record<string, string>> = {},
): void {
	events.publish({ type: "volume", action, actorId: name, attributes: { ...attributes, driver } });
}
