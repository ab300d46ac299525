import { expect, test } from "bun:test";
import { Demultiplexer } from "./multiplexed-stream.ts";

function record(stream: number, text: string): Buffer {
	const head = Buffer.alloc(8);
	head[0] = stream;
	head.writeUInt32BE(Buffer.byteLength(text), 4);
	return Buffer.concat([head, Buffer.from(text)]);
}

test("Demultiplexer takes records apart wherever the pieces end", () => {
	const bytes = Buffer.concat([
		record(1, "out"),
		record(2, "err"),
		record(1, ""),
		record(1, "more out"),
		record(0, "!"),
	]);
	for (const size of [1, 2, 5, 8, 9, 1000]) {
		const demultiplexer = new Demultiplexer();
		const texts = { stdout: "", stderr: "" };
		for (let at = 0; at < bytes.length; at += size)
			for (const [name, payload] of demultiplexer.push(Uint8Array.from(bytes.subarray(at, at + size))))
				texts[name] += Buffer.from(payload).toString();
		expect(texts).toEqual({ stdout: "outmore out!", stderr: "err" });
	}
});

test("Demultiplexer joins what one stream has written in a row", () => {
	const bytes = Buffer.concat([record(1, "a"), record(1, "bc"), record(2, "d"), record(2, "e"), record(1, "f")]);
	const pieces = [...new Demultiplexer().push(bytes)].map(([name, payload]) => [name, Buffer.from(payload).toString()]);
	expect(pieces).toEqual([
		["stdout", "abc"],
		["stderr", "de"],
		["stdout", "f"],
	]);
});

test("Demultiplexer reports the daemon's own errors and what is no framing", () => {
	expect(() => [...new Demultiplexer().push(record(3, "log driver gone"))]).toThrow(
		"error from daemon in stream: log driver gone",
	);
	expect(() => [...new Demultiplexer().push(Buffer.from("plain text"))]).toThrow("Unrecognized input header: 112");
});
