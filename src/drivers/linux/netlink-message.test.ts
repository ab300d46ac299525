import { expect, test } from "bun:test";
import { attributeText, decodeAttributes, decodeMessages, encodeMessage, NetlinkPayload } from "./netlink-message.ts";

test("what is encoded is decoded again, nested attributes and padding included", () => {
	const payload = new NetlinkPayload(Uint8Array.of(1, 2, 3))
		.text(3, "eth0")
		.nested(18, new NetlinkPayload().uint8(1, 7).uint32(2, 0xdeadbeef));
	const [message, second] = decodeMessages(
		Buffer.concat([encodeMessage(16, 5, 9, payload.encode()), encodeMessage(17, 0, 10, new Uint8Array(0))]),
	);
	expect([message?.type, message?.flags, message?.sequence, second?.type]).toEqual([16, 5, 9, 17]);
	const attributes = decodeAttributes(message?.payload ?? Buffer.alloc(0), 3);
	expect(attributeText(attributes.get(3))).toBe("eth0");
	const inner = decodeAttributes(attributes.get(18) ?? Buffer.alloc(0));
	expect([inner.get(1)?.[0], inner.get(2)?.readUInt32LE()]).toEqual([7, 0xdeadbeef]);
});

test("data that is cut off or lies about its length ends the decoding", () => {
	const whole = encodeMessage(16, 0, 1, new NetlinkPayload().text(3, "eth0").encode());
	for (let length = 0; length < whole.length; length++) expect(decodeMessages(whole.subarray(0, length))).toEqual([]);
	expect(decodeMessages(Buffer.alloc(64))).toEqual([]);
	expect(decodeAttributes(Buffer.alloc(64)).size).toBe(0);
	expect(decodeAttributes(Buffer.from([255, 255, 1, 0, 0])).size).toBe(0);
});
