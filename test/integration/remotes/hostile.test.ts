/** What a registry may send and must not get away with: each ends in a clear error, in time, and leaves nothing behind. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { type Digest, sha256 } from "../../../src/base/digest.ts";
import { type LogFields, silentLogger } from "../../../src/base/logger.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { ImageBench, localRemotes } from "../../support/image-bench.ts";
import { FOREIGN_TYPE, TYPES } from "../../support/registry-content.ts";
import { tarOf } from "../../support/tar-builder.ts";

const { oci } = TYPES;
const FILES = [{ a: "one" }, { b: "two".repeat(1000) }];
let registry: FakeRegistry;
let bench: ImageBench;

beforeEach(async () => {
	registry = await FakeRegistry.open();
	bench = new ImageBench(
		undefined,
		undefined,
		localRemotes({ attempts: 2, timeouts: { answerMs: 400, stallMs: 400 } }),
	);
});
afterEach(async () => {
	const areas = ["snapshots/layers", "snapshots/ingest", "content/ingest", "content/blobs/sha256"];
	const left = areas.flatMap((area) => readdirSync(join(bench.root, area)).map((name) => `${area}/${name}`));
	await bench[Symbol.asyncDispose]();
	await registry[Symbol.asyncDispose]();
	expect(left).toEqual([]);
});

async function pull(tag = "1", image = `${registry.host}/app`): Promise<void> {
	const request = { image, tag, platform: "", credentials: { username: "joe", password: "secret" } };
	for await (const _ of bench.service.pull(request, new AbortController().signal));
}

/** Why it fails. */
async function failure(tag?: string, image?: string): Promise<{ kind: string; message: string }> {
	const error: unknown = await pull(tag, image).then(
		() => undefined,
		(reason: unknown) => reason,
	);
	if (!(error instanceof Error)) throw new Error("the pull succeeded");
	return { kind: "kind" in error ? String(error.kind) : "none", message: error.message };
}

const answerWith = (matches: (url: string) => boolean, answer: (response: ServerResponse, url: string) => void) => {
	registry.misbehave = (request, response) => {
		const url = request.url ?? "";
		if (!matches(url)) return false;
		answer(response, url);
		return true;
	};
};

interface Layer {
	readonly bytes: Buffer;
	readonly diffId: Digest;
	readonly mediaType?: string;
	readonly fields?: object;
}

/** An image whose parts need not fit. */
function addImage(layers: readonly Layer[], changes: { config?: object; manifest?: object } = {}): void {
	const config = Buffer.from(
		JSON.stringify({
			architecture: "amd64",
			os: "linux",
			config: {},
			rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
			...changes.config,
		}),
	);
	const descriptor = (bytes: Buffer, mediaType: string) => ({
		mediaType,
		digest: registry.addBlob(bytes),
		size: bytes.length,
	});
	registry.addManifest("1", {
		schemaVersion: 2,
		mediaType: oci.manifest,
		config: descriptor(config, oci.config),
		layers: layers.map(({ bytes, mediaType = "application/vnd.oci.image.layer.v1.tar+gzip", fields }) => ({
			...descriptor(bytes, mediaType),
			...fields,
		})),
		...changes.manifest,
	});
}

const gzipped = (tar: Buffer): Layer => ({ bytes: gzipSync(tar), diffId: sha256(tar) });

describe("answers", () => {
	const refusals: readonly [string, number, string, string, string][] = [
		["of an unknown repository", 404, "NAME_UNKNOWN", "not-found", "not found: name unknown: said"],
		["of an unknown tag", 404, "MANIFEST_UNKNOWN", "not-found", "not found: manifest unknown: said"],
		["that deny", 403, "DENIED", "not-found", "pull access denied for"],
		["with a code nobody knows", 400, "TEAPOT", "system", "teapot: said"],
		["of a registry that is over its limits", 429, "TOOMANYREQUESTS", "system", "toomanyrequests: said"],
		["of a broken registry", 500, "UNKNOWN", "system", "unknown: said"],
	];
	for (const [what, status, code, kind, message] of refusals)
		test(what, async () => {
			answerWith(
				() => true,
				(response) => response.writeHead(status).end(JSON.stringify({ errors: [{ code, message: "said" }] })),
			);
			expect(await failure()).toEqual({ kind, message: expect.stringContaining(message) });
		});

	test("that are no JSON, or not of the protocol's shape, say their status", async () => {
		for (const body of [
			"<html>bad gateway</html>",
			"",
			"null",
			'{"errors":7}',
			'{"errors":[null]}',
			"[".repeat(50_000),
		]) {
			answerWith(
				() => true,
				(response) => response.writeHead(418).end(body),
			);
			expect((await failure()).message).toContain("received unexpected HTTP status: 418");
		}
	});

	test("with control characters are told without them, and not at any length", async () => {
		const message = `\u001b[2J\u0007evil\r\n${"x".repeat(10_000)}`;
		answerWith(
			() => true,
			(response) => response.writeHead(400).end(JSON.stringify({ errors: [{ code: "BAD", message }] })),
		);
		const said = (await failure()).message;
		expect(said).not.toMatch(/[\u0000-\u001f]/);
		expect(said.length).toBeLessThan(500);
	});

	test("that never accept any token end after a few tries", async () => {
		registry.addImage("1", FILES);
		answerWith(
			() => true,
			(response, url) => {
				if (url.startsWith("/token")) response.end(JSON.stringify({ token: crypto.randomUUID() }));
				else
					response
						.writeHead(401, { "WWW-Authenticate": `Bearer realm="http://${registry.host}/token",service="s"` })
						.end();
			},
		);
		expect(await failure()).toEqual({ kind: "unauthorized", message: "unauthorized: authentication required" });
		expect(registry.requests.length).toBeLessThan(10);
	});

	test("of token servers that lie", async () => {
		for (const [body, message] of [
			["<html>", "did not include a token"],
			['{"token":""}', "did not include a token"],
			['{"token":"a\\r\\nX-Evil: 1"}', "did not include a token"],
			[`{"token":"${"x".repeat(2 << 20)}"}`, "did not include a token"],
		] as const) {
			answerWith(
				() => true,
				(response, url) => {
					if (url.startsWith("/token")) response.end(body);
					else
						response
							.writeHead(401, { "WWW-Authenticate": `Bearer realm="http://${registry.host}/token",service="s"` })
							.end();
				},
			);
			expect((await failure()).message).toContain(message);
		}
		for (const realm of ["file:///etc/passwd", "", "nonsense", "ftp://x/"]) {
			answerWith(
				() => true,
				(response) => response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}"` }).end(),
			);
			expect((await failure()).message).toContain("names no usable address for tokens");
		}
	});

	test("that redirect in circles, to files, or out of the secure world", async () => {
		for (const location of [`/v2/app/manifests/1`, "file:///etc/passwd", "gopher://x/", "http://[bad"]) {
			answerWith(
				() => true,
				(response) => response.writeHead(307, { Location: location }).end(),
			);
			expect((await failure()).message).toMatch(/stopped after 10 redirects|address that is not allowed/);
		}
	});

	test("whose list of tags has no end", async () => {
		let pages = 0;
		answerWith(
			(url) => url.includes("/tags/list"),
			(response) => {
				const tags = pages++ > 3 ? [] : Array.from({ length: 10 }, (_, index) => `t${pages}-${index}`);
				response
					.writeHead(200, { Link: `</v2/app/tags/list?last=${pages}>; rel="next"` })
					.end(JSON.stringify({ tags }));
			},
		);
		// The first tag is not there: what matters is that the list came to an end.
		expect((await failure("")).kind).toBe("not-found");
		expect(pages).toBe(5);
	});
});

describe("manifests", () => {
	const index = (manifests: unknown, more: object = {}) => ({
		schemaVersion: 2,
		mediaType: oci.index,
		manifests,
		...more,
	});
	const platform = { os: "linux", architecture: "amd64" };
	const entry = (more: object = {}) => ({
		mediaType: oci.manifest,
		digest: sha256("nothing"),
		size: 7,
		platform,
		...more,
	});

	const wrong: readonly [string, unknown, string][] = [
		["that are no JSON", "{", "not JSON"],
		["that are a list", [], "no object"],
		["nested a hundred thousand deep", `{"schemaVersion":2,"x":${"[".repeat(100_000)}`, "not JSON"],
		["nested deep, and closed", `{"schemaVersion":2,"x":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, "invalid"],
		["of no version", { config: {} }, "unsupported manifest format"],
		["of the oldest format", { schemaVersion: 1, name: "x", fsLayers: [] }, "schema 1 support has been removed"],
		["that are an index and an image", { ...index([]), config: entry(), layers: [] }, "both an index and a manifest"],
		["with no list of manifests", index({}), "no list of descriptors"],
		["with ten thousand manifests and one", index(Array(10_001).fill(entry())), "no list of descriptors"],
		["with a platform that is none", index([entry({ platform: { os: 5 } })]), "no list of descriptors"],
		["with a platform of null only", index([entry({ platform: null })]), "not found: manifest unknown"],
		["with null for an entry", index([null]), "no list of descriptors"],
		["with a digest that is a path", index([entry({ digest: "sha256:../../../etc" })]), "no list of descriptors"],
		[
			"with no image for any platform",
			index([entry({ platform: { os: "plan9", architecture: "z80" } })]),
			"no matching manifest",
		],
		["that name what is not there", index([entry()]), "not found"],
	];
	for (const [what, document, message] of wrong)
		test(what, async () => {
			const bytes = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
			const isIndex =
				!String(document).startsWith("{") && (document as { manifests?: unknown }).manifests !== undefined;
			registry.manifests.set("1", { type: isIndex ? oci.index : oci.manifest, bytes });
			expect((await failure()).message).toContain(message);
		});

	test("in indexes in indexes, without end", async () => {
		let child: object = entry();
		for (let depth = 0; depth < 6; depth++) {
			const digest = registry.addManifest("1", index([child]));
			const size = registry.manifests.get(digest)?.bytes.length;
			child = entry({ mediaType: oci.index, digest, size });
		}
		expect((await failure()).message).toContain("nested too deeply");
	});

	test("of another size than their index says", async () => {
		registry.addImage("image", FILES);
		const bytes = registry.manifests.get("image")?.bytes ?? Buffer.alloc(0);
		registry.addManifest("1", index([entry({ digest: sha256(bytes), size: bytes.length + 1 })]));
		expect((await failure()).message).toContain("another size than its index says");
	});

	test("with more layers than any file system stacks", async () => {
		const layer = { mediaType: "x", digest: sha256("x"), size: 1 };
		addImage([], { manifest: { layers: Array(513).fill(layer) } });
		expect((await failure()).message).toContain("layers is no list of descriptors");
	});
});

describe("configurations", () => {
	test("with wrong bytes, no JSON, other layers, or a size beyond reason", async () => {
		const layer = gzipped(tarOf({ name: "a", content: "a" }));
		const { config } = registry.addImage("1", FILES);
		registry.blobs.set(config, Buffer.alloc((registry.blobs.get(config) ?? "").length, "x"));
		expect((await failure()).message).toContain("verification failed");
		addImage([layer], { config: { rootfs: { type: "layers", diff_ids: [] } } });
		expect((await failure()).message).toContain("layers length mismatch");
		addImage([layer], { config: { rootfs: { type: "layers", diff_ids: ["../../etc"] } } });
		expect((await failure()).kind).toBe("invalid-parameter");
		const junk = Buffer.from("no configuration");
		addImage([], {
			manifest: { config: { mediaType: oci.config, digest: registry.addBlob(junk), size: junk.length } },
		});
		expect((await failure()).kind).toBe("invalid-parameter");
		addImage([], { manifest: { config: { mediaType: oci.config, digest: sha256("x"), size: 2 ** 40 } } });
		expect((await failure()).message).toContain("larger than");
	});
});

describe("layers", () => {
	const tar = tarOf({ name: "a", content: "x".repeat(100_000) });

	const broken: readonly [string, () => Layer, RegExp][] = [
		[
			"of another tar than the configuration says",
			() => ({ ...gzipped(tar), diffId: sha256("other") }),
			/invalid diffID/,
		],
		[
			"that end in the middle of the compressed stream",
			() => ({ ...gzipped(tar), bytes: gzipSync(tar).subarray(0, 60) }),
			/./,
		],
		["that end in the middle of the tar", () => gzipped(tar.subarray(0, 50_000)), /./],
		["of bytes that are nothing", () => ({ bytes: Buffer.alloc(5000, 7), diffId: sha256("x") }), /./],
		["with a smaller size than they have", () => ({ ...gzipped(tar), fields: { size: 10 } }), /more than 10 bytes/],
		["with a larger size than they have", () => ({ ...gzipped(tar), fields: { size: 10_000_000 } }), /EOF/],
		[
			"with a digest nobody computes",
			() => ({ ...gzipped(tar), fields: { digest: `md5:${"a".repeat(32)}` } }),
			/digest|descriptor/,
		],
		["climbing out of the root", () => gzipped(tarOf({ name: "../../escaped", content: "x" })), /./],
		[
			"linking to what is outside",
			() => gzipped(tarOf({ name: "l", type: "hard-link", linkName: "../../../etc/passwd" })),
			/./,
		],
		["whiting out what is outside", () => gzipped(tarOf({ name: "../.wh.layers", content: "" })), /./],
		[
			"of a foreign address that is a file",
			() => ({
				...gzipped(tar),
				mediaType: FOREIGN_TYPE,
				fields: { urls: ["file:///etc/passwd"], digest: sha256("no"), size: 5 },
			}),
			/not found|unknown/i,
		],
	];
	for (const [what, make, message] of broken)
		test(what, async () => {
			addImage([make()]);
			expect((await failure()).message).toMatch(message);
			expect(existsSync(join(bench.root, "escaped")) || existsSync(join(bench.root, "snapshots/escaped"))).toBe(false);
		});

	test("through a symbolic link land where it leads inside, never outside", async () => {
		addImage([
			gzipped(tarOf({ name: "out", type: "symlink", linkName: "/" }, { name: "out/inside-marker", content: "x" })),
		]);
		await pull();
		expect(existsSync("/inside-marker")).toBe(false);
		await bench.service.remove(`${registry.host}/app:1`, { force: true, noPrune: false });
	});

	test("that unpack to more than they may stop there", async () => {
		const target = join(bench.root, "unpacked");
		await Bun.$`mkdir ${target}`;
		const bomb = gzipSync(tarOf({ name: "bomb", content: Buffer.alloc(8 << 20) }));
		await expect(bench.applier.apply(Readable.from([bomb]), target, { tarLimitBytes: 1 << 20 })).rejects.toMatchObject({
			kind: "invalid-parameter",
		});
	});

	test("of a registry that gives another part than was asked for, or other bytes for the rest", async () => {
		const { layers } = registry.addImage("1", [{ a: "x".repeat(100) }]);
		const blob = registry.blobs.get(layers[0] ?? "") ?? Buffer.alloc(0);
		for (const [range, rest, message] of [
			[`bytes 40-${blob.length - 1}/${blob.length}`, blob.subarray(40), "another range than asked for"],
			[`bytes 20-${blob.length - 1}/${blob.length}`, Buffer.alloc(blob.length - 20, 1), ""],
		] as const) {
			registry.misbehave = (request, response) => {
				if (!request.url?.endsWith(layers[0] ?? "")) return false;
				if (request.headers.range === undefined) {
					response.writeHead(200, { "Content-Length": blob.length });
					response.write(blob.subarray(0, 20), () => setTimeout(() => response.socket?.destroy(), 20));
				} else response.writeHead(206, { "Content-Range": range, "Content-Length": rest.length }).end(rest);
				return true;
			};
			expect((await failure()).message).toContain(message);
		}
	});

	test("that come a byte now and then count as stopped", async () => {
		const { layers } = registry.addImage("1", [{ a: "x" }]);
		const timers: Timer[] = [];
		registry.misbehave = (request, response) => {
			if (!request.url?.endsWith(layers[0] ?? "")) return false;
			const size = registry.blobs.get(layers[0] ?? "")?.length ?? 0;
			response.writeHead(200, { "Content-Length": size }).flushHeaders();
			timers.push(setInterval(() => response.write("x"), 100));
			return true;
		};
		expect((await failure()).message).toMatch(/does not send any more|verification/);
		for (const timer of timers) clearInterval(timer);
	});
});

test("a mirror that hangs, at once or in the middle, is passed over for the next one", async () => {
	await using good = await FakeRegistry.open();
	const { layers } = good.addImage("1", FILES);
	for (const [digest, bytes] of good.blobs) registry.blobs.set(digest, bytes);
	for (const [name, manifest] of good.manifests) registry.manifests.set(name, manifest);
	const settings = { mirrors: [registry, good].map(({ host }) => `http://${host}`), insecure: [] };
	const timeouts = { answerMs: 300, stallMs: 300 };
	await using user = new ImageBench(undefined, undefined, localRemotes({ attempts: 1, timeouts, settings }));
	const request = { image: "app", tag: "1", platform: "", credentials: undefined };
	for (const hangs of ["/manifests/", layers[0] ?? "", layers[1] ?? ""]) {
		registry.misbehave = (incoming, response) => {
			if (!incoming.url?.includes(hangs)) return false;
			const blob = registry.blobs.get(layers[1] ?? "") ?? Buffer.alloc(0);
			if (hangs === layers[1]) response.writeHead(200, { "Content-Length": blob.length }).write(blob.subarray(0, 9));
			return true;
		};
		for await (const _ of user.service.pull(request, new AbortController().signal));
		expect(good.requests.some((line) => line.includes(hangs))).toBe(true);
		await user.service.remove("app:1", { force: true, noPrune: false });
		good.requests.length = 0;
	}
});

test("a mirror's wrong bytes of the right length are left alone, with a warning, and the next host is asked", async () => {
	await using good = await FakeRegistry.open();
	const { layers, config } = good.addImage("1", FILES);
	for (const [name, manifest] of good.manifests) registry.manifests.set(name, manifest);
	const warnings: unknown[] = [];
	const logger = { ...silentLogger, warn: (_message: string, fields?: LogFields) => warnings.push(fields) };
	const settings = { mirrors: [registry, good].map(({ host }) => `http://${host}`), insecure: [] };
	await using user = new ImageBench(undefined, undefined, localRemotes({ attempts: 1, settings, logger }));
	const request = { image: "app", tag: "1", platform: "", credentials: undefined };
	const pulled = async () => {
		for await (const _ of user.service.pull(request, new AbortController().signal));
	};
	const wrong: readonly ((right: Buffer) => Buffer)[] = [
		(right) => Buffer.alloc(right.length, "lie"),
		// Another time in the header of gzip: it unpacks to the right files all the same.
		(right) => Buffer.from(right).fill(0xff, 4, 8),
	];
	for (const lie of wrong)
		for (const digest of [config, ...layers]) {
			for (const [name, bytes] of good.blobs) registry.blobs.set(name, name === digest ? lie(bytes) : bytes);
			await pulled();
			expect(good.requests).toEqual([`GET /v2/library/app/blobs/${digest}`]);
			expect(warnings).toEqual([expect.objectContaining({ host: `http://${registry.host}`, digest })]);
			await user.service.remove("app:1", { force: true, noPrune: false });
			good.requests.length = 0;
			warnings.length = 0;
		}
	// When all lie, it is said what is wrong, and nothing stays.
	for (const [name, bytes] of good.blobs) good.blobs.set(name, Buffer.alloc(bytes.length, "lie"));
	await expect(pulled()).rejects.toMatchObject({ kind: "invalid-parameter" });
	good.blobs.clear();
	await expect(pulled()).rejects.toThrow("verification failed");
	expect(readdirSync(join(user.root, "snapshots/layers"))).toEqual([]);
	expect(readdirSync(join(user.root, "snapshots/ingest"))).toEqual([]);
});

test("wrong bytes of a mirror that breaks off are not put before the right ones of the next host", async () => {
	await using good = await FakeRegistry.open();
	const { layers } = good.addImage("1", FILES);
	for (const [name, manifest] of good.manifests) registry.manifests.set(name, manifest);
	for (const [digest, bytes] of good.blobs) registry.blobs.set(digest, bytes);
	const blob = good.blobs.get(layers[1] ?? "") ?? Buffer.alloc(0);
	answerWith(
		(url) => url.includes(layers[1] ?? ""),
		(response) => {
			response.writeHead(200, { "Content-Length": blob.length });
			response.write(Buffer.alloc(20, "lie"), () => setTimeout(() => response.socket?.destroy(), 20));
		},
	);
	const settings = { mirrors: [registry, good].map(({ host }) => `http://${host}`), insecure: [] };
	await using user = new ImageBench(undefined, undefined, localRemotes({ attempts: 1, settings }));
	const request = { image: "app", tag: "1", platform: "", credentials: undefined };
	for await (const _ of user.service.pull(request, new AbortController().signal));
	expect(good.requests).toEqual([
		`GET /v2/library/app/blobs/${layers[1]} bytes=20-`,
		`GET /v2/library/app/blobs/${layers[1]}`,
	]);
});

test("a mirror's wrong manifest for a digest is left alone, with a warning", async () => {
	await using good = await FakeRegistry.open();
	good.addImage("1", FILES);
	const digest = [...good.manifests.keys()].find((name) => name !== "1") ?? "";
	registry.manifests.set(digest, { type: "application/vnd.oci.image.manifest.v1+json", bytes: Buffer.from("{}") });
	const warnings: unknown[] = [];
	const logger = { ...silentLogger, warn: (_message: string, fields?: LogFields) => warnings.push(fields) };
	const settings = { mirrors: [registry, good].map(({ host }) => `http://${host}`), insecure: [] };
	await using user = new ImageBench(undefined, undefined, localRemotes({ attempts: 1, settings, logger }));
	const request = { image: "app", tag: digest, platform: "", credentials: undefined };
	for await (const _ of user.service.pull(request, new AbortController().signal));
	expect(warnings).toEqual([expect.objectContaining({ host: `http://${registry.host}` })]);
});
