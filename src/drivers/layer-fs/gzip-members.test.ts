import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { isalCompressor, type MemberCompressor } from "../linux/isal.ts";
import { BLOCK_BYTES, gzipMembers, libdeflate } from "./gzip-members.ts";

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
	for (let position = 0; position < bytes.length; position += size) yield bytes.subarray(position, position + size);
}

async function gzipped(source: AsyncIterable<Uint8Array>, compressor?: MemberCompressor): Promise<Buffer> {
	const parts: Uint8Array[] = [];
	for await (const part of gzipMembers(source, compressor)) parts.push(part);
	return Buffer.concat(parts);
}

const random = randomBytes(1 << 20);
const text = Buffer.from("the quick brown fox jumps over the lazy dog\n".repeat(60_000));
const cases: readonly (readonly [string, Uint8Array])[] = [
	["nothing", Buffer.alloc(0)],
	["one byte", Buffer.from("x")],
	["exactly one block", text.subarray(0, 1 << 19)],
	["several blocks of text", text],
	["what cannot be compressed", random],
	["repetition across blocks", Buffer.concat([random, random])],
];
const isal = isalCompressor(BLOCK_BYTES);
const compressors: readonly (readonly [string, MemberCompressor | undefined])[] = [
	["libdeflate", libdeflate],
	["ISA-L", isal],
];
for (const [library, compressor] of compressors)
	for (const [name, input] of cases)
		test.skipIf(compressor === undefined)(
			`gzipMembers() gives gzip that unpacks to its input, by ${library}${compressor ? "" : " (is not on this machine)"}: ${name}`,
			async () => {
				const output = await gzipped(inPieces(input, 100_000), compressor);
				expect(gunzipSync(output).equals(input)).toBe(true);
			},
		);

test("gzipMembers() gives the same bytes whatever the pieces are", async () => {
	const whole = await gzipped(inPieces(text, text.length));
	expect((await gzipped(inPieces(text, 4097))).equals(whole)).toBe(true);
	expect((await gzipped(inPieces(text, 1 << 19))).equals(whole)).toBe(true);
});

test("gzipMembers() says nothing of when and where", async () => {
	for (const compressor of [libdeflate, isal ?? libdeflate]) {
		const output = await gzipped(inPieces(text, text.length), compressor);
		// Flags, then the time: no name, no comment, no date (RFC 1952, 2.3).
		expect([...output.subarray(3, 8)]).toEqual([0, 0, 0, 0, 0]);
	}
});

test("gzipMembers() fails as its source does", async () => {
	async function* failing(): AsyncGenerator<Uint8Array> {
		yield text;
		throw new Error("the disk is gone");
	}
	await expect(gzipped(failing())).rejects.toThrow("the disk is gone");
});
