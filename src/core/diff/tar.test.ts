import { describe, expect, test } from "bun:test";
import { decodePath, encodePath } from "./path-text.ts";
import { type TarEntry, tarEntry } from "./tar-entry.ts";
import { formatHeader, type HeaderFields, parseHeader, parseNumber } from "./tar-header.ts";
import { formatPaxRecords, formatPaxTime, parsePaxRecords, parsePaxTimeNs } from "./tar-pax.ts";
import { TarReader } from "./tar-reader.ts";
import { formatTarHeader, TAR_END, tarPadding } from "./tar-writer.ts";

interface Member {
	readonly entry: TarEntry;
	readonly data: readonly (readonly [number, string])[];
}

/** Everything a reader says of an archive that arrives in pieces of `step` bytes. */
function readTar(tar: Uint8Array, step = tar.length): { members: Member[]; raw: Buffer; all: Buffer } {
	const members: { entry: TarEntry; data: [number, string][] }[] = [];
	const raw: Buffer[] = [];
	const all: Buffer[] = [];
	const reader = new TarReader({
		entry: (entry) => members.push({ entry, data: [] }),
		data(chunk, offset) {
			const data = members.at(-1)?.data ?? [];
			const last = data.at(-1);
			all.push(Buffer.from(chunk));
			if (last !== undefined && last[0] + last[1].length === offset) last[1] += Buffer.from(chunk).toString("latin1");
			else data.push([offset, Buffer.from(chunk).toString("latin1")]);
		},
		end() {},
		raw(bytes) {
			raw.push(Buffer.from(bytes));
			all.push(Buffer.from(bytes));
		},
	});
	for (let position = 0; position < tar.length; position += step) reader.push(tar.subarray(position, position + step));
	reader.finish();
	return { members, raw: Buffer.concat(raw), all: Buffer.concat(all) };
}

function withContent(entry: TarEntry, content = ""): Buffer {
	const bytes = Buffer.from(content);
	return Buffer.concat([formatTarHeader({ ...entry, sizeBytes: bytes.length }), bytes, tarPadding(bytes.length)]);
}

const HEADER: HeaderFields = {
	name: "f",
	prefix: "",
	linkName: "",
	typeFlag: "0",
	mode: 0o644,
	uid: 0,
	gid: 0,
	sizeBytes: 0,
	modifiedSeconds: 0,
	userName: "",
	groupName: "",
	deviceMajor: 0,
	deviceMinor: 0,
};

function meta(flag: string, payload: Uint8Array): Buffer {
	const header = formatHeader({ ...HEADER, name: "meta", typeFlag: flag, sizeBytes: payload.length });
	return Buffer.concat([header, payload, tarPadding(payload.length)]);
}

function pax(records: readonly (readonly [string, string])[]): Buffer {
	return meta("x", formatPaxRecords(records.map(([key, value]) => ({ key, value: Buffer.from(value) }))));
}

/** A header whose bytes were changed, with the checksum made right again. */
function patched(block: Buffer, patch: (block: Buffer) => void): Buffer {
	patch(block);
	block.fill(0x20, 148, 156);
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
	return block;
}

describe("what the writer writes, the reader reads", () => {
	const cases: readonly [string, TarEntry][] = [
		[
			"a plain file",
			tarEntry({ name: "etc/passwd", type: "file", mode: 0o4755, uid: 1000, gid: 50, modifiedNs: 10n ** 18n }),
		],
		["a directory", tarEntry({ name: "etc/", type: "directory", mode: 0o1777 })],
		["a symlink with a long target", tarEntry({ name: "l", type: "symlink", linkName: "t/".repeat(100) })],
		["a hard link", tarEntry({ name: "h", type: "hard-link", linkName: "etc/passwd" })],
		["a device", tarEntry({ name: "d", type: "block-device", deviceMajor: 259, deviceMinor: 70000 })],
		["a fifo", tarEntry({ name: "p", type: "fifo" })],
		["a name that needs the prefix", tarEntry({ name: `${"d/".repeat(70)}${"n".repeat(90)}`, type: "file" })],
		["a name too long for it", tarEntry({ name: "n".repeat(300), type: "file" })],
		["a name outside of ASCII", tarEntry({ name: "grüße/日本", type: "file" })],
		["a name that is not UTF-8", tarEntry({ name: decodePath(Buffer.from([0x61, 0xff, 0xfe])), type: "file" })],
		["big owners", tarEntry({ name: "o", type: "file", uid: 4294967294, gid: 2 ** 31 })],
		["nanoseconds", tarEntry({ name: "t", type: "file", modifiedNs: 1_234_567_890_123_456_789n })],
		["a time before 1970", tarEntry({ name: "t", type: "file", modifiedNs: -1_500_000_000n })],
		[
			"extended attributes",
			tarEntry({
				name: "x",
				type: "file",
				attributes: new Map([
					["security.capability", Buffer.from([1, 0, 0, 2, 10, 61])],
					["user.a", Buffer.from("b")],
				]),
			}),
		],
	];
	for (const [name, entry] of cases)
		test(name, () => {
			const { members } = readTar(Buffer.concat([withContent(entry), TAR_END]));
			const attributes = new Map([...entry.attributes].map(([key, value]) => [key, Buffer.from(value)]));
			expect(members.map(({ entry: read }) => read)).toEqual([{ ...entry, attributes }]);
		});

	test("a size beyond 8 GiB", () => {
		const sizeBytes = 9 * 1024 ** 3;
		const sizes: number[] = [];
		const reader = new TarReader({ entry: (entry) => sizes.push(entry.sizeBytes), data() {}, end() {} });
		reader.push(formatTarHeader(tarEntry({ name: "big", type: "file", sizeBytes })));
		expect(sizes).toEqual([sizeBytes]);
	});

	test("the same entry gives the same bytes", () => {
		const entry = tarEntry({
			name: "x".repeat(200),
			type: "file",
			attributes: new Map([
				["user.b", Buffer.from("1")],
				["user.a", Buffer.from("2")],
			]),
		});
		const other = { ...entry, attributes: new Map([...entry.attributes].reverse()) };
		expect(formatTarHeader(entry)).toEqual(formatTarHeader(other));
	});
});

describe("TarReader", () => {
	const archive = Buffer.concat([
		withContent(tarEntry({ name: "a", type: "file" }), "hello"),
		withContent(tarEntry({ name: "n".repeat(300), type: "file", modifiedNs: 5n }), "x".repeat(1500)),
		TAR_END,
		Buffer.alloc(4096),
	]);

	for (const step of [1, 7, 511, 512, 513, 1000])
		test(`hears the same in pieces of ${step} bytes, and loses none of them`, () => {
			const whole = readTar(archive);
			const pieces = readTar(archive, step);
			expect(pieces.members).toEqual(whole.members);
			expect(pieces.all.equals(archive)).toBe(true);
			expect(pieces.raw.equals(whole.raw)).toBe(true);
		});

	test("reads GNU long names and links", () => {
		const long = "n".repeat(200);
		const target = "t".repeat(200);
		const header = formatHeader({ ...HEADER, typeFlag: "2", linkName: "short" });
		const tar = Buffer.concat([
			meta("L", Buffer.from(`${long}\0`)),
			meta("K", Buffer.from(`${target}\0`)),
			header,
			TAR_END,
		]);
		const [member] = readTar(tar).members;
		expect([member?.entry.name, member?.entry.linkName]).toEqual([long, target]);
	});

	test("takes a V7 name with a slash at its end for a directory", () => {
		const header = patched(formatHeader({ ...HEADER, name: "old/" }), (block) => block.fill(0, 257, 265));
		expect(readTar(Buffer.concat([header, TAR_END])).members[0]?.entry.type).toBe("directory");
	});

	test("reads numbers in base 256", () => {
		const block = Buffer.from([
			0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		]);
		expect(parseNumber(block, 0, 12)).toBe(0x100000);
		expect(parseNumber(block, 12, 8)).toBe(-2);
	});

	test("ignores global pax headers", () => {
		const tar = Buffer.concat([
			meta("g", Buffer.from("13 comment=abc\n")),
			withContent(tarEntry({ name: "a", type: "file" })),
			TAR_END,
		]);
		expect(readTar(tar).members.map(({ entry }) => entry.name)).toEqual(["a"]);
	});

	const oldSparse = (() => {
		const header = patched(formatHeader({ ...HEADER, typeFlag: "S", sizeBytes: 5 }), (block) => {
			block.write("ustar  \0", 257, 8, "latin1");
			block.fill(0, 345, 512);
			block.write("00000000000\0" + "00000000002\0" + "00000002000\0" + "00000000003\0", 386, "latin1");
			block.write("00000004000\0", 483, "latin1");
		});
		return Buffer.concat([header, Buffer.from("abcde"), tarPadding(5), TAR_END]);
	})();
	const map10 = Buffer.from("2\n0\n2\n1024\n3\n");
	const sparse: readonly [string, Buffer][] = [
		["old GNU", oldSparse],
		[
			"pax 0.0",
			Buffer.concat([
				pax([
					["GNU.sparse.size", "2048"],
					["GNU.sparse.numblocks", "2"],
					["GNU.sparse.offset", "0"],
					["GNU.sparse.numbytes", "2"],
					["GNU.sparse.offset", "1024"],
					["GNU.sparse.numbytes", "3"],
				]),
				withContent(tarEntry({ name: "f", type: "file" }), "abcde"),
				TAR_END,
			]),
		],
		[
			"pax 0.1",
			Buffer.concat([
				pax([
					["GNU.sparse.size", "2048"],
					["GNU.sparse.map", "0,2,1024,3"],
					["GNU.sparse.name", "f"],
				]),
				withContent(tarEntry({ name: "GNUSparseFile.1/f", type: "file" }), "abcde"),
				TAR_END,
			]),
		],
		[
			"pax 1.0",
			Buffer.concat([
				pax([
					["GNU.sparse.major", "1"],
					["GNU.sparse.minor", "0"],
					["GNU.sparse.name", "f"],
					["GNU.sparse.realsize", "2048"],
				]),
				withContent(
					tarEntry({ name: "GNUSparseFile.1/f", type: "file" }),
					Buffer.concat([map10, tarPadding(map10.length), Buffer.from("abcde")]).toString("latin1"),
				),
				TAR_END,
			]),
		],
	];
	for (const [name, tar] of sparse)
		test(`puts a sparse file's data where they belong (${name})`, () => {
			const { members, all } = readTar(tar, 100);
			expect(members.map(({ entry, data }) => [entry.name, entry.sizeBytes, data])).toEqual([
				[
					"f",
					2048,
					[
						[0, "ab"],
						[1024, "cde"],
					],
				],
			]);
			expect(all.equals(tar)).toBe(true);
		});

	const good = withContent(tarEntry({ name: "a", type: "file" }), "hello");
	test("takes an archive that ends with the last byte of its last file", () => {
		const { members } = readTar(good.subarray(0, 517), 100);
		expect(members.map(({ entry, data }) => [entry.name, data])).toEqual([["a", [[0, "hello"]]]]);
	});

	const broken: readonly [string, Buffer, string][] = [
		["a wrong checksum", patchByte(good, 0, 0x62), "invalid tar header"],
		["text that is no archive", Buffer.alloc(1024, "no archive "), "invalid tar header"],
		["an end inside a header", good.subarray(0, 300), "unexpected EOF"],
		["an end inside contents", good.subarray(0, 514), "unexpected EOF"],
		["an end inside padding", good.subarray(0, 600), "unexpected EOF"],
		["a long name without its member", meta("L", Buffer.from("name\0")), "unexpected EOF"],
		["a type nobody knows", formatHeader({ ...HEADER, typeFlag: "Z" }), "unhandled tar header type 90"],
		[
			"a pax header beyond all bounds",
			formatHeader({ ...HEADER, typeFlag: "x", sizeBytes: 2 ** 30 }),
			"header too large",
		],
		["a broken pax record", meta("x", Buffer.from("99 path=a\n")), "invalid tar header"],
		["something after one zero block", Buffer.concat([Buffer.alloc(512), good]), "invalid tar header"],
		["a negative size", patched(formatHeader(HEADER), (block) => block.fill(0xff, 124, 136)), "invalid tar header"],
		[
			"a sparse map that goes backwards",
			Buffer.concat([
				pax([
					["GNU.sparse.size", "99"],
					["GNU.sparse.map", "50,2,0,3"],
				]),
				good,
			]),
			"invalid tar header",
		],
		[
			"a sparse map beyond the file",
			Buffer.concat([
				pax([
					["GNU.sparse.size", "4"],
					["GNU.sparse.map", "0,2,50,3"],
				]),
				good,
			]),
			"invalid tar header",
		],
	];
	for (const [name, tar, message] of broken)
		test(`refuses ${name}`, () => {
			expect(() => readTar(tar)).toThrow(message);
		});

	test("random bytes behind a good checksum never do worse than a refusal", () => {
		let seed = 1;
		const random = () => {
			seed = (seed * 48271) % 2147483647;
			return seed % 256;
		};
		for (let round = 0; round < 300; round++) {
			const block = patched(formatHeader(HEADER), (bytes) => {
				for (let change = 0; change < 20; change++) bytes[(random() * 256 + random()) % 512] = random();
			});
			try {
				readTar(Buffer.concat([block, TAR_END]));
			} catch (error) {
				expect(error).toMatchObject({ kind: "invalid-parameter" });
			}
		}
	});
});

function patchByte(tar: Buffer, offset: number, value: number): Buffer {
	const copy = Buffer.from(tar);
	copy[offset] = value;
	return copy;
}

test("parseHeader() joins prefix and name", () => {
	const block = formatHeader({ ...HEADER, name: "n", prefix: "p/q" });
	expect(parseHeader(block).name).toBe("p/q/n");
});

test("pax records count their own length", () => {
	for (const length of [1, 5, 6, 90, 91, 92, 93, 990, 9990]) {
		const record = { key: "k", value: Buffer.alloc(length, "v") };
		expect(parsePaxRecords(formatPaxRecords([record]))).toEqual([record]);
	}
});

for (const [text, ns] of [
	["0", 0n],
	["1.5", 1_500_000_000n],
	["-1.5", -1_500_000_000n],
	["1350244992.023960108", 1_350_244_992_023_960_108n],
] as const)
	test(`the pax time ${text} is ${ns} ns and back`, () => {
		expect(parsePaxTimeNs(text)).toBe(ns);
		expect(formatPaxTime(ns)).toBe(text);
	});

for (const bytes of [
	[0x61],
	[0xc3, 0xa9],
	[0xff],
	[0x61, 0xc3],
	[0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0x80],
	[0xef, 0xbf, 0xbd],
])
	test(`the name ${Buffer.from(bytes).toString("hex")} survives being text`, () => {
		expect([...encodePath(decodePath(Buffer.from(bytes)))]).toEqual(bytes);
	});
