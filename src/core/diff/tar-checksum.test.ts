import { describe, expect, test } from "bun:test";
import { sha256 } from "../../base/digest.ts";
import { TarChecksum, TarVerifier } from "./tar-checksum.ts";

const TAR = Buffer.alloc(3 * (1 << 19) + 1234);
for (let position = 0; position + 4 <= TAR.length; position += 4)
	TAR.writeUInt32LE(Math.imul(position, 2_654_435_761) >>> 0, position);

function checksum(bytes: Uint8Array, pieceBytes = bytes.length) {
	const sum = new TarChecksum();
	for (let position = 0; position < bytes.length; position += pieceBytes)
		sum.update(bytes.subarray(position, position + pieceBytes));
	return sum.finish();
}

function changed(position: number): Buffer {
	const bytes = Buffer.from(TAR);
	bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
	return bytes;
}

describe("TarChecksum", () => {
	test.each([1000, 512, 1 << 19, (1 << 19) + 1, 1 << 20])("is the same in pieces of %d bytes", (pieceBytes) => {
		expect(checksum(TAR, pieceBytes)).toBe(checksum(TAR));
	});

	// Records hold it: another one would make every layer look damaged.
	test("does not change between versions", () => {
		expect(checksum(Buffer.from("layer"))).toBe(sha256(Uint8Array.of(0x1a, 0x21, 0xdb, 0xe4)));
	});

	test.each([0, 1 << 19, (1 << 20) - 1, TAR.length - 1])("tells a bit changed at %d", (position) => {
		expect(checksum(changed(position))).not.toBe(checksum(TAR));
	});

	test("tells blocks that changed places", () => {
		const halves = [TAR.subarray(0, 1 << 19), TAR.subarray(1 << 19, 1 << 20)] as const;
		expect(checksum(Buffer.concat([halves[1], halves[0]]))).not.toBe(checksum(Buffer.concat(halves)));
	});
});

describe.each([
	["by checksum", checksum(TAR)],
	["by digest", undefined],
])("TarVerifier %s", (_, tarChecksum) => {
	const identity = { diffId: sha256(TAR), tarSizeBytes: TAR.length, tarChecksum };
	const verifies = (bytes: Uint8Array) => {
		const verifier = new TarVerifier(identity);
		verifier.update(bytes.subarray(0, 700));
		verifier.update(bytes.subarray(700));
		return verifier.finish();
	};

	test("knows the same bytes from others", () => {
		expect(verifies(TAR)).toBe(true);
		expect(verifies(changed(1 << 19))).toBe(false);
		expect(verifies(TAR.subarray(0, -1))).toBe(false);
	});
});
