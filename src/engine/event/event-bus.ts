import type { EventMessage } from "../../api/engine/event.ts";
import type { Clock } from "../../base/clock.ts";
import type { EngineEvent, EventPublisher, EventSource } from "../../core/event/event-bus.ts";

const KEPT_EVENTS = 256;

/** Hands each event to every listener in the order of publishing, and remembers the last 256. */
export class EventBus implements EventPublisher, EventSource {
	readonly #clock: Clock;
	readonly #listeners = new Set<(message: EventMessage) => void>();
	readonly #recent: EventMessage[] = [];
	#lastNano = 0n;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	publish(event: EngineEvent): void {
		const message = this.#message(event);
		this.#recent.push(message);
		if (this.#recent.length > KEPT_EVENTS) this.#recent.shift();
		for (const listener of [...this.#listeners]) listener(message);
	}

	subscribe(listener: (message: EventMessage) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	recent(): readonly EventMessage[] {
		return this.#recent;
	}

	get listenerCount(): number {
		return this.#listeners.size;
	}

	/** The clock has milliseconds; times are made strictly increasing so that clients can order and resume by them. */
	#message(event: EngineEvent): EventMessage {
		const clockNano = BigInt(Math.floor(this.#clock.now() * 1000)) * 1000n;
		this.#lastNano = clockNano > this.#lastNano ? clockNano : this.#lastNano + 1n;
		const message: EventMessage = {
			Type: event.type,
			Action: event.action,
			Actor: { ID: event.actorId, Attributes: { ...event.attributes } },
			scope: "local",
			time: Number(this.#lastNano / 1_000_000_000n),
			timeNano: this.#lastNano,
		};
		if (event.type === "container" || event.type === "image") {
			message.status = event.action;
			message.id = event.actorId;
			const image = event.attributes["image"];
			if (event.type === "container" && image !== undefined) message.from = image;
		}
		return message;
	}
}
