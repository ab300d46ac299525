import { describe, expect, test } from "bun:test";
import type { EventMessage } from "../../api/engine/event.ts";
import type { Clock } from "../../base/clock.ts";
import { EventBus } from "./event-bus.ts";
import { eventStream } from "./event-stream.ts";

/** A clock that is turned by hand. */
class HandClock implements Clock {
	#now = 1_700_000_000_000;
	#timers: { at: number; action: () => void }[] = [];

	now(): number {
		return this.#now;
	}

	after(delayMs: number, action: () => void) {
		const timer = { at: this.#now + delayMs, action };
		this.#timers.push(timer);
		return {
			cancel: () => {
				this.#timers = this.#timers.filter((other) => other !== timer);
			},
		};
	}

	turn(ms: number): void {
		this.#now += ms;
		const due = this.#timers.filter(({ at }) => at <= this.#now);
		this.#timers = this.#timers.filter(({ at }) => at > this.#now);
		for (const { action } of due) action();
	}
}

const NEVER = new AbortController().signal;

function publish(bus: EventBus, action: string): void {
	bus.publish({ type: "container", action, actorId: "abc", attributes: { name: "web", image: "busybox" } });
}

async function collect(stream: AsyncIterable<EventMessage>): Promise<string[]> {
	const actions: string[] = [];
	for await (const { Action } of stream) actions.push(Action);
	return actions;
}

describe("eventStream()", () => {
	test("gives past events since a time, then live ones, and ends at its end", async () => {
		const clock = new HandClock();
		const bus = new EventBus(clock);
		publish(bus, "create");
		clock.turn(1000);
		const since = clock.now() / 1000;
		publish(bus, "start");
		const collected = collect(eventStream(bus, clock, { since, until: since + 5, filters: new Map() }, NEVER));
		clock.turn(1000);
		publish(bus, "die");
		clock.turn(5000);
		publish(bus, "destroy");
		expect(await collected).toEqual(["start", "die"]);
		expect(bus.listenerCount).toBe(0);
	});

	test("without a time gives only what comes", async () => {
		const clock = new HandClock();
		const bus = new EventBus(clock);
		publish(bus, "create");
		const abort = new AbortController();
		const collected = collect(eventStream(bus, clock, { filters: new Map() }, abort.signal));
		publish(bus, "start");
		await Promise.resolve();
		setTimeout(() => abort.abort(), 1);
		expect(await collected).toEqual(["start"]);
		expect(bus.listenerCount).toBe(0);
	});

	test("cuts off a reader that is hopelessly behind instead of keeping everything for it", async () => {
		const clock = new HandClock();
		const bus = new EventBus(clock);
		const stream = eventStream(bus, clock, { filters: new Map() }, NEVER);
		for (let count = 0; count < 9000; count++) publish(bus, "start");
		const collected = await collect(stream);
		expect(collected.length).toBeLessThan(9000);
		expect(bus.listenerCount).toBe(0);
	});

	test("a consumer that stops early is unsubscribed", async () => {
		const clock = new HandClock();
		const bus = new EventBus(clock);
		const stream = eventStream(bus, clock, { filters: new Map() }, NEVER);
		publish(bus, "start");
		for await (const _ of stream) break;
		expect(bus.listenerCount).toBe(0);
	});
});

describe("EventBus", () => {
	test("times increase strictly, though the clock stands still", () => {
		const bus = new EventBus(new HandClock());
		for (let count = 0; count < 3; count++) publish(bus, "start");
		const times = bus.recent().map(({ timeNano }) => timeNano);
		expect(new Set(times).size).toBe(3);
		expect([...times].sort()).toEqual([...times]);
	});

	test("remembers the last 256", () => {
		const bus = new EventBus(new HandClock());
		for (let count = 0; count < 300; count++) publish(bus, `action ${count}`);
		expect(bus.recent()).toHaveLength(256);
		expect(bus.recent()[0]?.Action).toBe("action 44");
	});
});
