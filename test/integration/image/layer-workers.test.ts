import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
	closeSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	readSync,
	realpathSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { sha256 } from "../../../src/base/digest.ts";
import type { LayerSource } from "../../../src/core/diff/archiver.ts";
import type { TarIdentity } from "../../../src/core/diff/tar-checksum.ts";
import { layerWorkerScript } from "../../../src/daemon/programs.ts";
import { FsContentStore } from "../../../src/drivers/content-fs/fs-content-store.ts";
import { FsLayerApplier } from "../../../src/drivers/layer-fs/fs-layer-applier.ts";
import { LayerWorkers } from "../../../src/drivers/layer-fs/layer-workers.ts";
import { tarOf } from "../../support/tar-builder.ts";

let base: string;
let workers: LayerWorkers;
let applier: FsLayerApplier;
let directories = 0;

beforeEach(() => {
	base = realpathSync(mkdtempSync(join(tmpdir(), "gantry-workers-")));
	const contentRoot = join(base, "content");
	workers = new LayerWorkers({ script: layerWorkerScript(), contentRoot, limit: 2, idleMs: 1000 });
	applier = new FsLayerApplier(new FsContentStore(contentRoot), workers);
});
afterEach(() => {
	workers[Symbol.dispose]();
	rmSync(base, { recursive: true, force: true });
});

/** More than is unpacked without a thread, and more than is on its way at once. */
const random = randomBytes(4 << 20);
const TAR = tarOf({ name: "big", content: random.toString("latin1") }, { name: "small", content: "text" });

function newDirectory(): string {
	const directory = join(base, `layer-${directories++}`, "fs");
	mkdirSync(directory, { recursive: true });
	return directory;
}

function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
	for (let position = 0; position < bytes.length; position += 60_000) yield bytes.subarray(position, position + 60_000);
}

const unfinished = () => readdirSync(join(base, "content", "ingest"));
const threadsEnd = async () => {
	while (workers.size > 0) await Bun.sleep(10);
};

test("threads unpack layers, and end when they have nothing to do", async () => {
	const works = Array.from({ length: 3 }, async (_, index) => {
		const directory = newDirectory();
		const source = index % 2 === 0 ? TAR : gzipSync(TAR);
		let seenBytes = 0;
		const applied = await applier.apply(Readable.from(inPieces(source)), directory, {
			diffId: sha256(TAR),
			onProgress: (bytes) => (seenBytes = bytes),
		});
		expect(seenBytes).toBe(source.length);
		expect(applied).toMatchObject({ diffId: sha256(TAR), tarSizeBytes: TAR.length, inodes: 2 });
		expect(readFileSync(join(directory, "small"), "utf8")).toBe("text");
		const chunks: Buffer[] = [];
		for await (const chunk of applier.tar(directory, applied.assembly)) chunks.push(chunk);
		expect(sha256(Buffer.concat(chunks))).toBe(sha256(TAR));
	});
	await Promise.all(works);
	expect(workers.size).toBe(2);
	await threadsEnd();
	expect(unfinished()).toEqual([]);
});

/** Larger than what is compressed without a thread, and than what may wait to be taken. */
const LARGE = tarOf(
	{ name: "big", content: randomBytes(4 << 20).toString("latin1") },
	{ name: "small", content: "text" },
);

async function unpacked(): Promise<{ readonly source: LayerSource; readonly tar: TarIdentity }> {
	const directory = newDirectory();
	const { assembly, ...tar } = await applier.apply(Readable.from(inPieces(LARGE)), directory);
	return { source: { directory, assembly }, tar };
}

async function compressed(by: FsLayerApplier, source: LayerSource, tar: TarIdentity): Promise<Buffer> {
	const chunks: Uint8Array[] = [];
	let readBytes = 0;
	const onRead = (bytes: number) => {
		readBytes = bytes;
	};
	for await (const chunk of by.compress(source, { tar, onRead })) chunks.push(Buffer.from(chunk));
	expect(readBytes).toBe(LARGE.length);
	return Buffer.concat(chunks);
}

test("threads compress layers, to the same bytes as the main one", async () => {
	const { source, tar } = await unpacked();
	const alone = await compressed(new FsLayerApplier(new FsContentStore(join(base, "content"))), source, tar);
	expect(gunzipSync(alone).equals(LARGE)).toBe(true);
	const works = Array.from({ length: 2 }, async () => {
		expect((await compressed(applier, source, tar)).equals(alone)).toBe(true);
	});
	await Promise.all(works);
	await threadsEnd();
});

test("a layer that is not what it was is not compressed to its end", async () => {
	const { source, tar } = await unpacked();
	// Not by `rejects`: while that waits, nothing is heard of a thread that does not keep the process alive.
	const failure = (identity: TarIdentity) =>
		compressed(applier, source, identity).then(
			() => undefined,
			(error: unknown) => error,
		);
	const changed = { kind: "system", message: expect.stringContaining("was changed on disk") };
	const big = openSync(join(source.directory, "big"), "r+");
	const byte = Buffer.alloc(1);
	readSync(big, byte, 0, 1, 3 << 20);
	writeSync(big, Buffer.of(byte.readUInt8() ^ 1), 0, 1, 3 << 20);
	expect(await failure(tar)).toMatchObject(changed);
	writeSync(big, byte, 0, 1, 3 << 20);
	closeSync(big);
	expect(await failure(tar)).toBeUndefined();
	writeFileSync(join(source.directory, "small"), "tEXT");
	expect(await failure(tar)).toMatchObject(changed);
	// As records of earlier versions have it.
	expect(await failure({ ...tar, tarChecksum: undefined })).toMatchObject(changed);
	rmSync(join(source.directory, "big"));
	expect(await failure(tar)).toMatchObject({ kind: "system" });
	await threadsEnd();
});

test("who wants no more of a compressed layer ends the thread's work", async () => {
	const { source, tar } = await unpacked();
	for await (const chunk of applier.compress(source, { tar })) {
		expect(chunk.length).toBeGreaterThan(0);
		break;
	}
	// The thread answers others, and has none of the layer's files open.
	await threadsEnd();
	const open = readdirSync("/proc/self/fd").flatMap((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`);
		} catch {
			return []; // the directory being read
		}
	});
	expect(open.filter((path) => path.startsWith(source.directory))).toEqual([]);
});

test("a thread is started before its first layer, once, and not for small ones", async () => {
	applier.prepareCompression(1024);
	expect(workers.size).toBe(0);
	for (let time = 0; time < 2; time++) applier.prepareCompression(LARGE.length);
	expect(workers.size).toBe(1);
	const { source, tar } = await unpacked();
	expect(gunzipSync(await compressed(applier, source, tar)).equals(LARGE)).toBe(true);
	await threadsEnd();
	applier.prepareCompression(LARGE.length);
	await threadsEnd();
});

test("small layers need no thread", async () => {
	await applier.apply(Readable.from([tarOf({ name: "a", content: "b" })]), newDirectory());
	expect(workers.size).toBe(0);
});

const damaged = Buffer.from(TAR);
damaged.fill(1, TAR.length - 3000, TAR.length - 2000);
const refused: readonly (readonly [string, Uint8Array, object, string])[] = [
	["a damaged archive", damaged, {}, "invalid tar header"],
	["an archive that was cut off", TAR.subarray(0, TAR.length - 5000), {}, "unexpected EOF"],
	["another archive than expected", TAR, { diffId: sha256("other") }, "invalid diffID"],
	["too large an archive", TAR, { tarLimitBytes: 1 << 20 }, "unpacks to more than"],
];
for (const [name, bytes, options, message] of refused)
	test(`a thread refuses ${name} as the main one would, and leaves no record`, async () => {
		const applied = applier.apply(Readable.from(inPieces(bytes)), newDirectory(), options);
		await expect(applied).rejects.toMatchObject({
			kind: "invalid-parameter",
			message: expect.stringContaining(message),
		});
		expect(unfinished()).toEqual([]);
	});

test("a source that fails ends the thread's work first, and is the failure that is told", async () => {
	async function* failing(): AsyncGenerator<Uint8Array> {
		yield TAR.subarray(0, 2 << 20);
		throw new Error("the network is gone");
	}
	await expect(applier.apply(Readable.from(failing()), newDirectory())).rejects.toThrow("the network is gone");
	expect(unfinished()).toEqual([]);
});

test("a thread that cannot start is a failure, not a wait", async () => {
	const broken = new LayerWorkers({ script: join(base, "nothing.ts"), contentRoot: base, limit: 1, idleMs: 50 });
	await expect(broken.unpack(Readable.from([TAR]), newDirectory(), {})).rejects.toMatchObject({ kind: "system" });
	expect(broken.size).toBe(0);
});
