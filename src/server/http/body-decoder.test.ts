import { describe, expect, test } from "bun:test";
import { type BodyDecoder, ChunkedDecoder, FixedLengthDecoder } from "./body-decoder.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Feeds the text in pieces of `size` bytes; what is left over after the body's end is returned, too. */
function feed(decoder: BodyDecoder, text: string, size: number): { readonly body: string; readonly rest: string } {
	const input = Buffer.from(text);
	let body = "";
	for (let offset = 0; offset < input.length; offset += size) {
		const piece = input.subarray(offset, offset + size);
		const used = decoder.decode(piece, (part) => {
			body += part.toString();
		});
		if (decoder.finished) return { body, rest: input.subarray(offset + used).toString() };
	}
	return { body, rest: "unfinished" };
}

describe("FixedLengthDecoder", () => {
	for (const size of [1, 3, 100])
		test(`stops at its length in pieces of ${size}`, () => {
			expect(feed(new FixedLengthDecoder(5), "helloGET /", size)).toEqual({ body: "hello", rest: "GET /" });
		});
});

describe("ChunkedDecoder", () => {
	const encoded = "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET /";
	for (const size of [1, 2, 7, 100])
		test(`puts chunks together in pieces of ${size}`, () => {
			expect(feed(new ChunkedDecoder(), encoded, size)).toEqual({ body: "hello world", rest: "GET /" });
		});
	test("hands on as one what came together", () => {
		const parts: string[] = [];
		const decoder = new ChunkedDecoder();
		const used = decoder.decode(Buffer.from("3\r\none\r\n3\r\ntwo\r\n5\r\nthr"), (part) => parts.push(part.toString()));
		decoder.decode(Buffer.from("ee\r\n0\r\n\r\n"), (part) => parts.push(part.toString()));
		expect({ used, parts, finished: decoder.finished }).toEqual({
			used: 22,
			parts: ["onetwothr", "ee"],
			finished: true,
		});
	});
	for (const broken of [
		"x\r\n",
		"5\r\nhelloX\r\n",
		"5\nhello",
		"-1\r\n",
		"ffffffffffffffff\r\n",
		`${"1".repeat(5000)}`,
	])
		test(`refuses ${JSON.stringify(broken.slice(0, 20))}`, () => {
			expect(() => feed(new ChunkedDecoder(), broken, 100)).toThrow(ProtocolError);
		});
});
