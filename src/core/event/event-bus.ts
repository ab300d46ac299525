import type { EventMessage } from "../../api/engine/event.ts";

export type EventType = "container" | "image" | "volume" | "network" | "daemon" | "builder" | "plugin";

export interface EngineEvent {
	readonly type: EventType;
	/** `start`, `die`, `health_status: healthy`, `exec_create: sh -c true`, … as Docker words them. */
	readonly action: string;
	readonly actorId: string;
	readonly attributes: Readonly<Record<string, string>>;
}

/** Published after the change is stored, in order. */
export interface EventPublisher {
	publish(event: EngineEvent): void;
}

export interface EventSource {
	/** Calls `listener` for each event from now on; returns the unsubscribe function. */
	subscribe(listener: (message: EventMessage) => void): () => void;
	/** Past events still in memory (the last 256), oldest first. */
	recent(): readonly EventMessage[];
}
