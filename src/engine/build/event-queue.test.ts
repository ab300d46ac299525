import { expect, test } from "bun:test";
import { memoryTransports } from "../../../test/support/memory-transport.ts";
import { sha256 } from "../../base/digest.ts";
import type { BuildReply, WireEvent } from "../../core/build/session/build-call.ts";
import { SessionConnection } from "../../core/build/session/connection.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import { sessionEvents } from "./build-sessions.ts";
import { EventQueue } from "./event-queue.ts";

const STEP = sha256("step");
const PIECE = new Uint8Array(32 * 1024).fill(0x61);

/** A build's stream on both sides: the queue writes to the first, a client reads the second. */
async function streams() {
	const [theirs, ours] = memoryTransports();
	const opened = Promise.withResolvers<SessionStream>();
	const daemon = new SessionConnection(ours, "daemon", async (stream) => opened.resolve(stream));
	const client = new SessionConnection(theirs, "client", () => Promise.reject(new Error("nobody asks the client")));
	const ended = Promise.allSettled([daemon.run(), client.run()]);
	const reading = await client.open({});
	const end = async () => {
		client.close();
		await ended;
	};
	return { reading, writing: await opened.promise, end };
}

async function readAll(stream: SessionStream): Promise<WireEvent[]> {
	const events: WireEvent[] = [];
	for (let message = await stream.read(); message !== undefined; message = await stream.read())
		if (message.kind === "json") events.push(...(message.value as Extract<BuildReply, { events: unknown }>).events);
	return events;
}

function log(queue: EventQueue, data = PIECE): void {
	queue.emit({ kind: "log", log: { vertex: STEP, stream: 1, data, timestamp: 1 } });
}

const turns = async () => {
	for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("EventQueue keeps only the newest state for a client that is slow, and output waits for it", async () => {
	const { reading, writing, end } = await streams();
	const queue = new EventQueue(sessionEvents(writing));
	let sentPieces = 0;
	const output = (async () => {
		for (; sentPieces < 200; sentPieces++) {
			await queue.ready();
			log(queue);
		}
	})();
	for (let current = 0; current < 1000; current++) {
		const status = { id: "pull", vertex: STEP, name: "pull", current, total: 1000 };
		queue.emit({ kind: "status", status });
		if (current % 100 === 0) await turns();
	}
	// A window on the way, and a quarter of a MiB here: 200 pieces would be 6 MiB.
	expect(sentPieces).toBeLessThan(80);
	const events = readAll(reading);
	await output;
	await queue.close();
	await writing.end();
	const all = await events;
	const logs = all.filter(({ kind }) => kind === "log");
	expect(logs.length).toBe(200);
	const states = all.flatMap((event) => (event.kind === "status" ? [event.status.current] : []));
	expect(states.at(-1)).toBe(999);
	expect(states.length).toBeLessThan(200);
	await end();
});

test("EventQueue drops output of a step that does not wait, and says so", async () => {
	const { reading, writing, end } = await streams();
	const queue = new EventQueue(sessionEvents(writing));
	for (let count = 0; count < 1000; count++) log(queue);
	const events = readAll(reading);
	await queue.close();
	await writing.end();
	const texts = (await events).flatMap((event) => (event.kind === "log" ? [atob(event.log.data)] : []));
	expect(texts.at(-1)).toBe("[output clipped]\n");
	expect(texts.length).toBeLessThan(200);
	await end();
});

test("EventQueue lets everybody go when the client has gone", async () => {
	const { writing, end } = await streams();
	const queue = new EventQueue(sessionEvents(writing));
	for (let count = 0; count < 200; count++) log(queue);
	const waiting = queue.ready();
	await end();
	await waiting;
	log(queue);
	await queue.close();
});
