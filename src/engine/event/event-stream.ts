import type { EventMessage } from "../../api/engine/event.ts";
import type { Filters } from "../../api/engine/filters.ts";
import type { Clock } from "../../base/clock.ts";
import type { EventSource } from "../../core/event/event-bus.ts";
import { checkEventFilters, matchesEvent } from "../../core/event/event-filter.ts";

/** A reader this far behind is cut off: it can come back with `since`, the daemon cannot give its memory. */
const QUEUE_LIMIT = 8192;

export interface EventStreamOptions {
	/** Seconds, fraction included. */
	readonly since?: number;
	readonly until?: number;
	readonly filters: Filters;
}

/**
 * Past events that are still in memory, then live ones, until `until`, an abort or for ever. Subscribed before the
 * function returns its first event, so that nothing falls between past and live.
 * @throws InvalidParameterError for an unknown filter
 */
export function eventStream(
	source: EventSource,
	clock: Clock,
	options: EventStreamOptions,
	signal: AbortSignal,
): AsyncIterable<EventMessage> {
	checkEventFilters(options.filters);
	const queue = pastEvents(source, options);
	let wake = () => {};
	let over = signal.aborted;
	const end = () => {
		over = true;
		wake();
	};
	const unsubscribe = source.subscribe((message) => {
		if (over || !matchesEvent(options.filters, message)) return;
		if (queue.push(message) >= QUEUE_LIMIT) end();
		wake();
	});
	const timer =
		options.until === undefined ? undefined : clock.after(Math.max(0, options.until * 1000 - clock.now()), end);
	signal.addEventListener("abort", end, { once: true });
	const close = () => {
		end();
		unsubscribe();
		timer?.cancel();
		signal.removeEventListener("abort", end);
	};
	const next = async (): Promise<IteratorResult<EventMessage>> => {
		for (;;) {
			if (signal.aborted) break;
			const message = queue.shift();
			if (message !== undefined) {
				if (isWithin(message, options)) return { done: false, value: message };
				continue;
			}
			if (over || (options.until !== undefined && clock.now() >= options.until * 1000)) break;
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
		close();
		return { done: true, value: undefined };
	};
	const stop = async (): Promise<IteratorResult<EventMessage>> => {
		close();
		return { done: true, value: undefined };
	};
	return { [Symbol.asyncIterator]: () => ({ next, return: stop }) };
}

function pastEvents(source: EventSource, options: EventStreamOptions): EventMessage[] {
	if (options.since === undefined && options.until === undefined) return [];
	return source.recent().filter((message) => isWithin(message, options) && matchesEvent(options.filters, message));
}

function isWithin(message: EventMessage, options: EventStreamOptions): boolean {
	const seconds = Number(message.timeNano) / 1e9;
	return seconds >= (options.since ?? 0) && seconds <= (options.until ?? Number.POSITIVE_INFINITY);
}
