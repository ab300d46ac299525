import { describe, expect, test } from "bun:test";
import { type Duplex, duplexPair } from "node:stream";
import { DeferredStream } from "./deferred-stream.ts";

async function text(stream: Duplex): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString();
}

describe("DeferredStream", () => {
	test("keeps what was written before there was somebody to write to, half-close included", async () => {
		const stream = new DeferredStream();
		stream.write("one ");
		stream.end("two");
		const [near, far] = duplexPair();
		stream.connect(near);
		expect(await text(far)).toBe("one two");
	});

	test("passes output on to its end", async () => {
		const stream = new DeferredStream();
		const [near, far] = duplexPair();
		stream.connect(near);
		far.end("output");
		expect(await text(stream)).toBe("output");
	});

	test("holds the other side back while nobody reads", async () => {
		const stream = new DeferredStream();
		const [near, far] = duplexPair();
		stream.connect(near);
		const chunk = Buffer.alloc(64 * 1024);
		let accepted = 0;
		const pump = () => {
			while (accepted < 1000 && far.write(chunk)) accepted++;
		};
		pump();
		await new Promise((resolve) => setTimeout(resolve, 20));
		pump();
		expect(accepted).toBeLessThan(100);
		stream.destroy();
	});

	test("ends for a client whose container never starts", async () => {
		const stream = new DeferredStream();
		stream.abandon();
		expect(await text(stream)).toBe("");
	});

	test("closes what it is connected to after its client has gone", () => {
		const stream = new DeferredStream();
		stream.destroy();
		const [near] = duplexPair();
		stream.connect(near);
		expect(near.destroyed).toBe(true);
	});
});
