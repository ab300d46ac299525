import { describe, expect, test } from "bun:test";
import { InvalidParameterError, NotFoundError } from "../../../base/errors.ts";
import { type ByteTransport, SessionConnection } from "./connection.ts";
import { encodeFrame, FrameDecoder, MAX_PAYLOAD_BYTES } from "./frames.ts";
import { type SessionStream, WINDOW_BYTES } from "./stream.ts";

/** Two ends of a connection in memory, which delivers in pieces of `pieceBytes`. */
function connect(pieceBytes = Number.POSITIVE_INFINITY): [Pipe, Pipe] {
	const [a, b] = [new Pipe(pieceBytes), new Pipe(pieceBytes)];
	a.peer = b;
	b.peer = a;
	return [a, b];
}

class Pipe implements ByteTransport {
	peer: Pipe | undefined;
	readonly #queue: Uint8Array[] = [];
	#isEnded = false;
	#wake = () => {};

	constructor(private readonly pieceBytes: number) {}

	async read(): Promise<Uint8Array | undefined> {
		for (;;) {
			const piece = this.#queue.shift();
			if (piece !== undefined) return piece;
			if (this.#isEnded) return undefined;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	async write(bytes: Uint8Array): Promise<void> {
		const size = Math.min(this.pieceBytes, bytes.length);
		for (let at = 0; at < bytes.length; at += size) this.peer?.deliver(bytes.subarray(at, at + size));
	}

	deliver(bytes: Uint8Array): void {
		this.#queue.push(bytes);
		this.#wake();
	}

	destroy(): void {
		for (const pipe of [this, this.peer]) pipe?.end();
	}

	end(): void {
		this.#isEnded = true;
		this.#wake();
	}
}

interface Session {
	client: SessionConnection;
	daemon: SessionConnection;
	pipes: [Pipe, Pipe];
	ended: Promise<PromiseSettledResult<void>[]>;
}

function session(answer: (stream: SessionStream) => Promise<void>, pieceBytes?: number): Session {
	const pipes = connect(pieceBytes);
	const client = new SessionConnection(pipes[0], "client", answer);
	const daemon = new SessionConnection(pipes[1], "daemon", answer);
	return { client, daemon, pipes, ended: Promise.allSettled([client.run(), daemon.run()]) };
}

async function echo(stream: SessionStream): Promise<void> {
	for (;;) {
		const message = await stream.read();
		if (message === undefined) break;
		if (message.kind === "json") await stream.send(message.value);
		else await stream.write(message.data);
	}
	await stream.end();
}

describe("SessionConnection", () => {
	for (const pieceBytes of [1, 7, Number.POSITIVE_INFINITY])
		test(`carries messages both ways, delivered in pieces of ${pieceBytes}`, async () => {
			const { client, daemon } = session(echo, pieceBytes);
			for (const side of [client, daemon]) {
				const stream = await side.open({ method: "echo" });
				await stream.send({ text: "ä" });
				await stream.write(Buffer.from("bytes"));
				await stream.end();
				expect(await stream.readJson()).toEqual({ text: "ä" });
				const parts: Uint8Array[] = [];
				for await (const part of stream.data()) parts.push(part);
				expect(Buffer.concat(parts).toString()).toBe("bytes");
			}
			client.close();
		});

	test("makes a writer wait for a slow reader, and loses nothing", async () => {
		const seen = Promise.withResolvers<SessionStream>();
		const { client } = session(async (stream) => seen.resolve(stream));
		const stream = await client.open({});
		let writtenBytes = 0;
		const total = 5 * WINDOW_BYTES;
		const writing = (async () => {
			for (; writtenBytes < total; writtenBytes += 1000)
				await stream.write(new Uint8Array(1000).fill(writtenBytes / 1000));
			await stream.end();
		})();
		const peer = await seen.promise;
		for (let turn = 0; turn < 100; turn++) await Bun.sleep(0);
		expect(writtenBytes).toBeLessThanOrEqual(WINDOW_BYTES + 1000);
		expect(stream.hasRoom).toBe(false);
		let readBytes = 0;
		for await (const part of peer.data()) {
			expect(part[0]).toBe((readBytes / 1000) & 0xff);
			readBytes += part.length;
		}
		await writing;
		expect(readBytes).toBe(writtenBytes);
		client.close();
	});

	test("carries a message that is larger than the room left, and goes on when it is read", async () => {
		const seen = Promise.withResolvers<SessionStream>();
		const { client } = session(async (stream) => seen.resolve(stream));
		const stream = await client.open({});
		const large = "x".repeat(5 * WINDOW_BYTES);
		await stream.write(new Uint8Array(WINDOW_BYTES - 1));
		await stream.send(large);
		const more = stream.send("more");
		const peer = await seen.promise;
		for (let bytes = 0; bytes < WINDOW_BYTES - 1; ) {
			const message = await peer.read();
			if (message?.kind === "data") bytes += message.data.length;
		}
		expect(await peer.readJson()).toBe(large);
		expect(await peer.readJson()).toBe("more");
		await more;
		client.close();
	});

	test("tells the other side why a stream failed, and only that stream", async () => {
		const { client } = session(async (stream) => {
			if (stream.call === "bad") throw new NotFoundError("no such thing");
			await echo(stream);
		});
		const good = await client.open("good");
		const bad = await client.open("bad");
		const error = await bad.read().catch((caught) => caught);
		expect([error.kind, error.message, bad.signal.aborted]).toEqual(["not-found", "no such thing", true]);
		await good.send(1);
		expect(await good.readJson()).toBe(1);
		client.close();
	});

	test("fails all streams of both sides when the connection ends", async () => {
		const seen = Promise.withResolvers<SessionStream>();
		const { client, pipes, ended } = session(async (stream) => seen.resolve(stream));
		const stream = await client.open({});
		const peer = await seen.promise;
		pipes[0].destroy();
		await ended;
		for (const each of [stream, peer]) {
			expect(each.signal.aborted).toBe(true);
			await expect(each.read()).rejects.toMatchObject({ kind: "cancelled" });
			await expect(each.write(new Uint8Array(1))).rejects.toThrow();
		}
		await expect(client.open({})).rejects.toThrow();
	});

	for (const [what, bytes] of [
		["a frame of an unknown kind", Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, 1])],
		["a frame that is too long", Buffer.from([0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1])],
		["an `open` that is no JSON", encodeFrame("open", 1, Buffer.from("{"))],
		["a stream with a number of ours", encodeFrame("open", 2, Buffer.from("{}"))],
	] as const)
		test(`ends the connection for ${what}`, async () => {
			const [mine, theirs] = connect();
			const daemon = new SessionConnection(theirs, "daemon", echo);
			const run = daemon.run();
			await mine.write(bytes);
			await expect(run).rejects.toBeInstanceOf(InvalidParameterError);
			expect(await mine.read()).toBeUndefined();
		});

	test("ends the connection of a sender that ignores the room it has", async () => {
		const [mine, theirs] = connect();
		const run = new SessionConnection(theirs, "daemon", () => new Promise(() => {})).run();
		await mine.write(encodeFrame("open", 1, Buffer.from("{}")));
		for (let sent = 0; sent < 4 * WINDOW_BYTES; sent += 65_536)
			await mine.write(encodeFrame("data", 1, new Uint8Array(65_536)));
		await expect(run).rejects.toThrow("more than there was room for");
	});
});

test("encodeFrame() refuses what no frame holds", () => {
	expect(() => encodeFrame("data", 1, new Uint8Array(MAX_PAYLOAD_BYTES + 1))).toThrow("too long");
});

test("FrameDecoder gives nothing before a frame is whole", () => {
	const decoder = new FrameDecoder();
	const frame = encodeFrame("data", 7, Buffer.from("abc"));
	decoder.push(frame.subarray(0, 4));
	expect(decoder.next()).toBeUndefined();
	decoder.push(frame.subarray(4, 11));
	expect(decoder.next()).toBeUndefined();
	expect(decoder.isAtBoundary).toBe(false);
	decoder.push(frame.subarray(11));
	expect(decoder.next()).toEqual({ kind: "data", stream: 7, payload: new Uint8Array(Buffer.from("abc")) } as never);
	expect(decoder.isAtBoundary).toBe(true);
});
