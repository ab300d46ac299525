import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { type Digest, sha256 } from "../../../src/base/digest.ts";
import type { CompressedForm, LayerSource } from "../../../src/core/diff/archiver.ts";
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

async function unpacked(): Promise<{ readonly directory: string; readonly assembly: Digest }> {
	const directory = newDirectory();
	const { assembly } = await applier.apply(Readable.from(inPieces(LARGE)), directory);
	return { directory, assembly };
}

async function compressed(by: FsLayerApplier, source: LayerSource): Promise<{ bytes: Buffer; form: CompressedForm }> {
	const done = Promise.withResolvers<CompressedForm>();
	const chunks: Uint8Array[] = [];
	let readBytes = 0;
	const options = {
		diffId: sha256(LARGE),
		tarSizeBytes: LARGE.length,
		onRead: (bytes: number) => (readBytes = bytes),
		onDone: done.resolve,
	};
	for await (const chunk of by.compress(source, options)) chunks.push(Buffer.from(chunk));
	expect(readBytes).toBe(LARGE.length);
	return { bytes: Buffer.concat(chunks), form: await done.promise };
}

test("threads compress layers, to the same bytes as the main one", async () => {
	const source = await unpacked();
	const alone = await compressed(new FsLayerApplier(new FsContentStore(join(base, "content"))), source);
	expect(gunzipSync(alone.bytes).equals(LARGE)).toBe(true);
	const works = Array.from({ length: 2 }, async () => {
		const { bytes, form } = await compressed(applier, source);
		expect(bytes.equals(alone.bytes)).toBe(true);
		expect(form).toEqual({ digest: sha256(bytes), sizeBytes: bytes.length });
	});
	await Promise.all(works);
	await threadsEnd();
});

test("a layer that is not what it was is not compressed to its end", async () => {
	const source = await unpacked();
	writeFileSync(join(source.directory, "small"), "tEXT");
	// Not by `rejects`: while that waits, nothing is heard of a thread that does not keep the process alive.
	const failure = () =>
		compressed(applier, source).then(
			() => undefined,
			(error: unknown) => error,
		);
	expect(await failure()).toMatchObject({
		kind: "system",
		message: expect.stringContaining("was changed on disk"),
	});
	rmSync(join(source.directory, "big"));
	expect(await failure()).toMatchObject({ kind: "system" });
	await threadsEnd();
});

test("who wants no more of a compressed layer ends the thread's work", async () => {
	const source = await unpacked();
	const options = { diffId: sha256(LARGE), tarSizeBytes: LARGE.length, onDone: () => {} };
	for await (const chunk of applier.compress(source, options)) {
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
