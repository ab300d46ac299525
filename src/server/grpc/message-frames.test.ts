import { describe, expect, test } from "bun:test";
import { NotImplementedError } from "../../base/errors.ts";
import { frameMessage, MessageDecoder } from "./message-frames.ts";
import { decodeMessage, encodeMessage, statusOf, statusTrailers } from "./rpc-error.ts";

const texts = ["", "a", "bc".repeat(5000), "d"];

function decode(bytes: Buffer, pieceBytes: number): string[] {
	const decoder = new MessageDecoder();
	const found: string[] = [];
	for (let at = 0; at < bytes.length; at += pieceBytes) {
		decoder.push(bytes.subarray(at, at + pieceBytes));
		for (let message = decoder.next(); message !== undefined; message = decoder.next())
			found.push(Buffer.from(message).toString());
	}
	decoder.finish();
	return found;
}

describe("MessageDecoder", () => {
	const bytes = Buffer.concat(texts.map((text) => frameMessage(Buffer.from(text))));
	for (const pieceBytes of [1, 4, 5, 6, 4096, bytes.length])
		test(`finds messages in pieces of ${pieceBytes} bytes`, () => expect(decode(bytes, pieceBytes)).toEqual(texts));

	for (const [what, hex, message] of [
		["is compressed", "0100000001ff", "compressed messages are not supported"],
		["is too large", "00ffffffff", "larger than"],
	] as const)
		test(`refuses a message that ${what}`, () => {
			expect(() => decode(Buffer.from(hex, "hex"), 100)).toThrow(message);
		});

	test("refuses a message without its end", () => {
		expect(() => decode(bytes.subarray(0, 8), 100)).toThrow("inside of a message");
	});
});

describe("trailers", () => {
	for (const text of ["plain", "50% of äöü\nlines", "a + b"])
		test(`carry ${JSON.stringify(text)}`, () => {
			expect(encodeMessage(text)).toMatch(/^[ -~]*$/);
			expect(decodeMessage(encodeMessage(text))).toBe(text);
		});

	test("have the code of an error's kind, and details as bytes", () => {
		expect(statusTrailers(statusOf(new NotImplementedError("no")))).toEqual({
			"grpc-status": "12",
			"grpc-message": "no",
		});
		const status = statusOf(new Error("x"), [{ typeUrl: "t", value: Buffer.from("v") }]);
		expect(statusTrailers(status)["grpc-status-details-bin"]).toBe("CAISAXgaBgoBdBIBdg");
	});
});
