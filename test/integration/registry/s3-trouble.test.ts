/** S3-compatible storage that refuses, is busy, breaks off, loses something; and the deaths of who uses it. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FsRegistryStorage } from "../../../src/drivers/registry-storage-fs/fs-registry-storage.ts";
import type { S3Place, S3Retry } from "../../../src/drivers/registry-storage-s3/s3-client.ts";
import { S3RegistryStorage } from "../../../src/drivers/registry-storage-s3/s3-registry-storage.ts";
import { waitFor } from "../../support/commands.ts";
import { digestOf, pushBlob, startRegistry } from "../../support/registry-server.ts";
import { refuse, S3_KEYS, S3Server } from "../../support/s3-server.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-s3-trouble-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Of two parts, and a rest. */
const LARGE = randomBytes((10 << 20) + 4321);

let server: S3Server;
let storage: S3RegistryStorage;
beforeEach(async () => {
	server = await S3Server.start();
	storage = storageWith();
});
afterEach(async () => {
	await storage.close();
	server[Symbol.dispose]();
});

const QUICK: S3Retry = { attempts: 4, firstDelayMs: 4, answerMs: 60_000 };

function storageWith(more: Partial<S3Place> = {}, retry = QUICK): S3RegistryStorage {
	const { endpoint } = server;
	const place = { endpoint, bucket: "b", prefix: "p/", redirects: true, ...S3_KEYS, ...more };
	return new S3RegistryStorage(place, new FsRegistryStorage(mkdtempSync(join(directory, "spool-"))), {
		retry,
	});
}

async function send(to: S3RegistryStorage, path: string, bytes: Uint8Array): Promise<void> {
	const writer = await to.append(`uploads/${path}/data`, 0);
	await writer.write(bytes);
	await writer.close();
	await to.move(`uploads/${path}/data`, path);
}

async function bytesOf(path: string, from = storage): Promise<Buffer> {
	return Buffer.from(await new Response(await from.open(path)).arrayBuffer());
}

/** What is used of the protocol, with the requests that it takes. */
const OPERATIONS: Readonly<
	Record<string, { readonly request: RegExp; readonly run: (to: S3RegistryStorage) => Promise<unknown> }>
> = {
	"a write": { request: /^PUT \/b\/p\/w$/, run: (to) => to.write("w", Buffer.from("new")) },
	"a read": { request: /^GET \/b\/p\/small$/, run: (to) => to.read("small", 100) },
	"a read of a large object": { request: /^GET \/b\/p\/large$/, run: (to) => bytesOf("large", to) },
	"a look": { request: /^HEAD \/b\/p\/small$/, run: (to) => to.stat("small") },
	"a list": { request: /^GET \/b\/?\?/, run: (to) => to.list("d") },
	"a deletion": { request: /^DELETE \/b\/p\/d/, run: (to) => to.delete("d") },
	"the beginning of a large object": { request: /^POST .*uploads=?$/, run: (to) => send(to, "new", LARGE) },
	"a part": { request: /^PUT .*partNumber=2/, run: (to) => send(to, "new", LARGE) },
	"the end of a large object": { request: /^POST .*uploadId=/, run: (to) => send(to, "new", LARGE) },
};

async function fill(): Promise<void> {
	await storage.write("small", Buffer.from("small"));
	await storage.write("d/one", Buffer.from("1"));
	await storage.write("d/two", Buffer.from("2"));
	await send(storage, "large", LARGE);
	server.requests.length = 0;
}

const lineOf = ({ method, url = "" }: IncomingMessage) => `${method} ${url}`;

describe("signatures", () => {
	const wrong: Readonly<Record<string, Partial<S3Place>>> = {
		SignatureDoesNotMatch: { secretAccessKey: "guessed" },
		InvalidAccessKeyId: { accessKeyId: "stranger" },
		AuthorizationHeaderMalformed: { region: "elsewhere" },
		InvalidToken: { sessionToken: "stale" },
		NoSuchBucket: { bucket: "other" },
	};
	for (const [code, place] of Object.entries(wrong))
		test(`${code} is told by every operation, and is not taken for a missing object`, async () => {
			await fill();
			const strange = storageWith(place);
			for (const { run } of Object.values(OPERATIONS))
				await expect(run(strange)).rejects.toMatchObject({ kind: "system", message: expect.stringContaining(code) });
			expect(server.unfinished()).toEqual([]);
			await strange.close();
		});

	test("a clock that is wrong is told", async () => {
		server.clockOffsetMs = 20 * 60_000;
		for (const work of [() => storage.read("small", 9), () => storage.write("w", Buffer.from("1"))])
			await expect(work()).rejects.toThrow("RequestTimeTooSkewed");
	});

	test("of a session carry its token, in headers and in addresses; keys may have any characters", async () => {
		const keys = { ...S3_KEYS, accessKeyId: "team:user/ä+b", sessionToken: "a+token/with=signs" };
		using strict = await S3Server.start({ keys, pageSize: 2 });
		for (const name of ["a b", "a+b", "a%20b", "ü-漢", "a&b=c;d", "a'(b)!*~", "q\"<>'", "[x]{y}|^`", "#?:@,$", "..x"]) {
			const own = storageWith({ ...keys, endpoint: strict.endpoint, prefix: `p/${name}/` });
			for (const file of ["d/one", "d/two", "d/three", "d/e/four"]) await own.write(file, Buffer.from(file));
			await send(own, "large", LARGE);
			expect(await own.list("d")).toEqual(["e", "one", "three", "two"]);
			expect((await bytesOf("large", own)).equals(LARGE)).toBe(true);
			const address = (await own.addressOf("d/e/four")) ?? "";
			expect([name, await (await fetch(address)).text()]).toEqual([name, "d/e/four"]);
			expect((await fetch(address.replace("four", "fou"))).status).toBe(403);
			await own.delete("d");
			expect(await own.list("d")).toEqual([]);
			await own.close();
		}
	});

	test("a prefix that no key can have is refused", () => {
		for (const prefix of ["a\\b/", "../", "a//b/", "a\nb/"]) expect(() => storageWith({ prefix })).toThrow("prefix");
	});
});

describe("a storage that is busy", () => {
	for (const [what, { request, run }] of Object.entries(OPERATIONS))
		test(`has ${what} asked for again`, async () => {
			await fill();
			for (const [status, code] of [
				[503, "SlowDown"],
				[500, "InternalError"],
				[0, "nothing"],
			] as const) {
				let left = 2;
				server.misbehave = (incoming, response) => {
					if (!request.test(lineOf(incoming)) || left-- <= 0) return false;
					if (status === 0) incoming.socket.destroy();
					else refuse(response, status, code);
					return true;
				};
				await run(storage);
				expect([code, left < 0]).toEqual([code, true]);
				expect(server.unfinished()).toEqual([]);
				await storage.write("d/one", Buffer.from("1"));
			}
		});

	test("and does not answer is asked again, and not for ever", async () => {
		await fill();
		const impatient = storageWith({}, { attempts: 3, firstDelayMs: 4, answerMs: 300 });
		for (const silent of [2, 1000]) {
			let left = silent;
			server.misbehave = () => left-- > 0;
			const read = impatient.read("small", 9);
			if (silent === 2) expect(Buffer.from(await read).toString()).toBe("small");
			else await expect(read).rejects.toThrow("does not answer");
		}
		await impatient.close();
	});

	test("for good is an error in its words, and what was begun is given up", async () => {
		await fill();
		for (const { request, run } of Object.values(OPERATIONS)) {
			server.misbehave = (incoming, response) => request.test(lineOf(incoming)) && refuse(response, 503, "SlowDown");
			await expect(run(storage)).rejects.toMatchObject({
				kind: "system",
				message: expect.stringMatching(/SlowDown|503/),
			});
			server.misbehave = () => false;
		}
		expect(server.unfinished()).toEqual([]);
		expect(server.keys().filter((key) => key.endsWith("new"))).toEqual([]);
		// What was to be sent is still here to be sent again.
		await storage.move("uploads/new/data", "new");
		expect((await bytesOf("new")).equals(LARGE)).toBe(true);
	});
});

describe("a large object", () => {
	test("whose parts break off half-way is sent whole; when they always do, nothing of it stays", async () => {
		server.cut = { afterBytes: 3 << 20, times: 4 };
		await send(storage, "new", LARGE);
		expect(server.cut.times).toBe(0);
		expect((await bytesOf("new")).equals(LARGE)).toBe(true);
		server.cut = { afterBytes: 3 << 20, times: 1000 };
		await expect(send(storage, "never", LARGE)).rejects.toMatchObject({ kind: "system" });
		expect([server.keys(), server.unfinished()]).toEqual([["p/new"], []]);
	});

	test("whose completion is told in an answer that begins well is not there before it is", async () => {
		let refusals = 1;
		server.misbehave = (incoming, response) => {
			if (!/^POST .*uploadId=/.test(lineOf(incoming)) || refusals-- <= 0) return false;
			response
				.writeHead(200)
				.end("<?xml version='1.0'?>\n  <Error><Code>InternalError</Code><Message>m</Message></Error>");
			return true;
		};
		await send(storage, "new", LARGE);
		expect((await bytesOf("new")).equals(LARGE)).toBe(true);
	});

	test("whose completion is done and not told is there", async () => {
		const put = /^POST .*uploadId=([^&]+)/;
		server.misbehave = (incoming) => {
			const id = put.exec(lineOf(incoming))?.[1] ?? "";
			const upload = server.uploads.get(id);
			if (upload === undefined) return false;
			const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
			server.store(upload.key, Buffer.concat(parts));
			server.uploads.delete(id);
			incoming.socket.destroy();
			return true;
		};
		await send(storage, "new", LARGE);
		expect((await bytesOf("new")).equals(LARGE)).toBe(true);
	});

	test("of which a part is lost is not there, nor is the rest of it", async () => {
		server.misbehave = (incoming) => {
			const id = /^POST .*uploadId=([^&]+)/.exec(lineOf(incoming))?.[1] ?? "";
			server.uploads.get(id)?.parts.delete(2);
			return false;
		};
		await expect(send(storage, "new", LARGE)).rejects.toThrow("InvalidPart");
		expect([server.keys(), server.unfinished()]).toEqual([[], []]);
	});

	test("that stops or breaks off while it is read is gone on with", async () => {
		await send(storage, "large", LARGE);
		const impatient = storageWith({}, { ...QUICK, answerMs: 300 });
		let breaks = 3;
		server.misbehave = (incoming, response) => {
			if (incoming.method !== "GET" || breaks-- <= 0) return false;
			const start = Number(/^bytes=(\d+)-/.exec(incoming.headers.range ?? "")?.[1] ?? 0);
			response.writeHead(start === 0 ? 200 : 206, {
				"Content-Length": LARGE.length - start,
				"Content-Range": `bytes ${start}-${LARGE.length - 1}/${LARGE.length}`,
			});
			const stops = breaks === 1;
			response.write(LARGE.subarray(start, start + (3 << 20)), () => {
				if (!stops) setTimeout(() => incoming.socket.destroy(), 50);
			});
			return true;
		};
		expect((await bytesOf("large", impatient)).equals(LARGE)).toBe(true);
		await impatient.close();
		expect(breaks).toBeLessThan(0);
	});
});

test("a list while its files are deleted has those that stay, and deletions side by side are none too many", async () => {
	using small = await S3Server.start({ pageSize: 3 });
	const own = storageWith({ endpoint: small.endpoint });
	const names = Array.from({ length: 30 }, (_, at) => `n${String(at).padStart(2, "0")}`);
	await Promise.all(names.map((name) => own.write(`d/${name}/f`, Buffer.from(name))));
	const [listed] = await Promise.all([
		own.list("d"),
		...names.filter((_, at) => at % 2 === 1).map((name) => own.delete(`d/${name}`)),
	]);
	expect(names.filter((_, at) => at % 2 === 0).filter((name) => !listed.includes(name))).toEqual([]);
	await Promise.all([own.delete("d"), own.delete("d")]);
	expect(small.keys()).toEqual([]);
	await own.close();
});

test("a bucket may be part of the host's name", async () => {
	const own = storageWith({ endpoint: `http://localhost:${server.port}`, isVirtualHost: true });
	await own.write("d/f", Buffer.from("text"));
	await send(own, "large", LARGE);
	expect(server.keys()).toEqual(["p/d/f", "p/large"]);
	expect(Buffer.from(await own.read("d/f", 9)).toString()).toBe("text");
	expect(await own.list("d")).toEqual(["f"]);
	expect(await (await fetch((await own.addressOf("d/f")) ?? "")).text()).toBe("text");
	await own.close();
});

test("what a killed registry was sending is given up at its next start; of others only what is old, by a collection", async () => {
	const credentials = join(directory, "credentials");
	writeFileSync(credentials, `${S3_KEYS.accessKeyId}\n${S3_KEYS.secretAccessKey}\n`);
	const root = mkdtempSync(join(directory, "root-"));
	const flags = ["--s3-endpoint", server.endpoint, "--s3-bucket", "b", "--s3-prefix", "reg", "--s3-region", "r"];
	const start = () => startRegistry([...flags, "--s3-credentials", credentials], root);
	const first = await start();
	const hanging = Promise.withResolvers<void>();
	server.misbehave = (incoming) => {
		if (!lineOf(incoming).includes("partNumber=2")) return false;
		hanging.resolve();
		return true;
	};
	const pushing = pushBlob(first.url, "a/b", LARGE).catch(() => "died");
	await hanging.promise;
	await first.end("SIGKILL");
	expect(await pushing).toBe("died");
	expect(server.unfinished()).toHaveLength(1);
	server.misbehave = () => false;
	server.begin("reg/blobs/of-another-server");
	server.begin("reg/blobs/forgotten", 8 * 24 * 3600 * 1000);
	server.begin("elsewhere/forgotten", 8 * 24 * 3600 * 1000);

	await using second = await start();
	await waitFor("the start's cleaning", () => server.unfinished().length === 2);
	expect(server.unfinished()).toEqual(["elsewhere/forgotten", "reg/blobs/of-another-server"]);
	// Nothing of it was acknowledged; it comes whole the next time.
	expect((await fetch(`${second.url}/v2/a/b/blobs/${digestOf(LARGE)}`)).status).toBe(404);
	const digest = await pushBlob(second.url, "a/b", LARGE);
	const got = await (await fetch(`${second.url}/v2/a/b/blobs/${digest}`)).bytes();
	expect(Buffer.from(got).equals(LARGE)).toBe(true);
	server.begin("reg/blobs/forgotten", 8 * 24 * 3600 * 1000);
	process.kill(second.pid, "SIGUSR1");
	await waitFor("the collection", () => server.unfinished().length === 2);
	expect(second.log()).not.toContain("level=error");
});
