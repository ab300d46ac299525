/**
 * A push hands layers on from where they came. Mirrors that lie, stop or refuse are passed over for the next host; when nobody has the
 * right bytes, the layer is compressed here. Whatever happens, the target keeps nothing that was not acknowledged.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProgressMessage } from "../../../src/api/engine/image.ts";
import { type LogFields, silentLogger } from "../../../src/base/logger.ts";
import { ACCEPTED_MANIFESTS } from "../../../src/core/remotes/manifest.ts";
import { waitFor } from "../../support/commands.ts";
import { type FakeImage, FakeRegistry, sendBlob } from "../../support/fake-registry.ts";
import { ImageBench, localRemotes } from "../../support/image-bench.ts";
import { installPeers, startDockerRegistry } from "../../support/peers.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

const never = new AbortController().signal;
const FILES = [{ a: "one" }, { b: Buffer.from(crypto.getRandomValues(new Uint8Array(60_000))).toString("hex") }];

const hosts = mkdtempSync(join(tmpdir(), "gantry-handed-on-"));
let target: RegistryProcess;
let mirror: FakeRegistry;
let origin: FakeRegistry;
let user: ImageBench;
let image: FakeImage;
let repositories = 0;
const warnings: LogFields[] = [];

beforeAll(async () => {
	target = await startRegistry();
});
afterAll(async () => {
	await target[Symbol.asyncDispose]();
	rmSync(hosts, { recursive: true, force: true });
});

beforeEach(async () => {
	mirror = await FakeRegistry.open();
	origin = await FakeRegistry.open();
	image = origin.addImage("1", FILES);
	for (const [digest, bytes] of origin.blobs) mirror.blobs.set(digest, bytes);
	for (const [name, manifest] of origin.manifests) mirror.manifests.set(name, manifest);
	warnings.length = 0;
	mkdirSync(join(hosts, "app.test"), { recursive: true });
	const settings = [`server = "http://${origin.host}"`, `[host."http://${mirror.host}"]`];
	writeFileSync(join(hosts, "app.test/hosts.toml"), settings.join("\n"));
	const remotes = localRemotes({
		attempts: 1,
		timeouts: { answerMs: 250, stallMs: 250 },
		hostDirectories: [hosts],
		logger: { ...silentLogger, warn: (_message: string, fields: LogFields = {}) => warnings.push(fields) },
	});
	user = new ImageBench(undefined, undefined, remotes);
	const request = { image: "app.test/app", tag: "1", platform: "", credentials: undefined };
	for await (const _ of user.service.pull(request, never));
	expect(origin.requests).toEqual([]);
});
afterEach(async () => {
	await user[Symbol.asyncDispose]();
	await mirror[Symbol.asyncDispose]();
	await origin[Symbol.asyncDispose]();
	expect(uploadsLeft()).toEqual([]);
});

const uploadsLeft = () => [...new Bun.Glob("uploads/*/*").scanSync(target.root)];

/** To a repository nobody has pushed to. */
async function pushed(host = target.host, signal = never): Promise<{ readonly name: string; readonly digest: string }> {
	const name = `team/app${++repositories}`;
	await user.service.tag("app.test/app:1", `${host}/${name}`, "1");
	const request = { image: `${host}/${name}`, tag: "1", platform: undefined, credentials: undefined };
	const messages: ProgressMessage[] = [];
	for await (const message of user.service.push(request, signal)) messages.push(message);
	const { aux } = messages.findLast((message) => message.aux !== undefined) ?? {};
	return { name, digest: (aux as { Digest?: string } | undefined)?.Digest ?? "" };
}

/** What the target has under the tag, each blob with the length that it really has there. */
async function stored(url: string, name: string) {
	const answer = await fetch(`${url}/v2/${name}/manifests/1`, { headers: { Accept: ACCEPTED_MANIFESTS } });
	const manifest = (await answer.json()) as { layers: { digest: string; size: number }[] };
	for (const { digest, size } of manifest.layers)
		expect((await (await fetch(`${url}/v2/${name}/blobs/${digest}`)).bytes()).length).toBe(size);
	return { digest: answer.headers.get("docker-content-digest") ?? "", layers: manifest.layers.map((l) => l.digest) };
}

const given = () => [...origin.manifests.keys()].find((name) => name !== "1") ?? "";
const bytesOf = (digest: string | undefined) => origin.blobs.get(digest ?? "") ?? Buffer.alloc(0);

type Lie = (response: ServerResponse, right: Buffer, request: IncomingMessage) => void;

const LIES: Readonly<Record<string, Lie>> = {
	"other bytes of the right length": (response, right) =>
		sendBlob(response, Buffer.alloc(right.length, "lie"), undefined),
	"bytes that unpack to the same, with another date": (response, right) =>
		sendBlob(response, Buffer.from(right).fill(0xff, 4, 8), undefined),
	"too few": (response, right, request) =>
		sendBlob(response, right.subarray(0, right.length >> 1), request.headers.range),
	"too many": (response, right) => sendBlob(response, Buffer.concat([right, right]), undefined),
	"half of it wrong, and then nothing": (response, right) => {
		response.writeHead(200, { "Content-Length": right.length }).write(Buffer.alloc(right.length >> 1, "lie"));
	},
	"half of it right, and then nothing": (response, right) => {
		response.writeHead(200, { "Content-Length": right.length }).write(right.subarray(0, right.length >> 1));
	},
	"half of it, and breaks off": (response, right) => {
		response.writeHead(200, { "Content-Length": right.length });
		response.write(right.subarray(0, right.length >> 1), () => setTimeout(() => response.socket?.destroy(), 20));
	},
	"no answer": () => {},
	"nothing but 403": (response) => void response.writeHead(403).end("no"),
	"nothing but 401": (response) => void response.writeHead(401, { "WWW-Authenticate": 'Basic realm="x"' }).end("no"),
	"nothing but 500": (response) => void response.writeHead(500).end("no"),
};

function lie(registry: FakeRegistry, digest: string | undefined, how: Lie): void {
	registry.misbehave = (request, response) => {
		if (request.method !== "GET" || !request.url?.includes(`/blobs/${digest}`)) return false;
		how(response, bytesOf(digest), request);
		return true;
	};
}

describe("a mirror that gives", () => {
	for (const [what, how] of Object.entries(LIES))
		test(`${what} is passed over for the next host: all digests stay`, async () => {
			lie(mirror, image.layers[1], how);
			const { name, digest } = await pushed();
			expect(origin.requests.filter((line) => !line.includes(image.layers[1] ?? ""))).toEqual([]);
			expect(origin.requests.length).toBeGreaterThan(0);
			expect(await stored(target.url, name)).toEqual({ digest, layers: [...image.layers] });
			expect(digest).toBe(given());
			const isWrong = /other bytes|another date|wrong/.test(what);
			if (isWrong) expect(warnings).toContainEqual(expect.objectContaining({ host: `http://${mirror.host}` }));
		});
});

describe("when every host gives", () => {
	for (const [what, how] of Object.entries(LIES))
		test(`${what}, the layer is compressed here, and the manifest says so`, async () => {
			for (const registry of [mirror, origin]) lie(registry, image.layers[1], how);
			const { name, digest } = await pushed();
			const { layers, ...rest } = await stored(target.url, name);
			expect(rest.digest).toBe(digest);
			expect(digest).not.toBe(given());
			expect(layers[0] as string).toBe(image.layers[0] ?? "");
			expect(layers[1]).not.toBe(image.layers[1]);
			// It is the same image for who pulls it.
			await using other = new ImageBench();
			const request = { image: `${target.host}/${name}`, tag: "1", platform: "", credentials: undefined };
			for await (const _ of other.service.pull(request, never));
			expect(other.service.resolve(`${target.host}/${name}:1`).id).toBe(image.config);
		});
});

test("a push that is left cancels its uploads", async () => {
	const controller = new AbortController();
	lie(mirror, image.layers[1], (response, right) => {
		response.writeHead(200, { "Content-Length": right.length }).write(right.subarray(0, 9000));
	});
	origin.misbehave = () => {
		controller.abort();
		return true;
	};
	await expect(pushed(target.host, controller.signal)).rejects.toMatchObject({ kind: "cancelled" });
	await waitFor("the upload to go", () => uploadsLeft().length === 0);
});

test("a target that breaks off has its own upload cancelled, and is told as the one to blame", async () => {
	await using broken = await FakeRegistry.open();
	const uploads: string[] = [];
	broken.misbehave = (request, response) => {
		if (!request.url?.includes("/uploads/")) return false;
		uploads.push(`${request.method} ${request.url.replace(/^.*uploads/, "")}`);
		if (request.method === "POST") response.writeHead(202, { Location: "/v2/x/blobs/uploads/an-id?state=1" }).end();
		else if (request.method === "DELETE") response.writeHead(204).end();
		else response.writeHead(400).end(JSON.stringify({ errors: [{ code: "SIZE_INVALID", message: "no room" }] }));
		return true;
	};
	await expect(pushed(broken.host)).rejects.toThrow("no room");
	// One that was given up while its address was on the way has nothing in it, and nobody knows how to cancel it.
	const count = (method: string) => uploads.filter((line) => line.startsWith(`${method} /an-id?state=1`)).length;
	expect(count("PATCH")).toBeGreaterThan(0);
	expect(count("DELETE")).toBeGreaterThanOrEqual(count("PATCH"));
	expect(mirror.requests.filter((line) => line.includes(image.layers[1] ?? "")).length).toBeLessThan(3);
});

const missing = installPeers(["docker-registry"]);
test.skipIf(missing !== undefined)(
	`docker-registry keeps nothing of it either${missing === undefined ? "" : ` (skipped: ${missing})`}`,
	async () => {
		await using peer = await startDockerRegistry();
		for (const registry of [mirror, origin])
			lie(registry, image.layers[1], LIES["other bytes of the right length"] as Lie);
		const { name, digest } = await pushed(peer.host);
		expect((await stored(peer.url, name)).digest).toBe(digest);
		expect(await Array.fromAsync(new Bun.Glob("**/_uploads/*/*").scan(peer.root))).toEqual([]);
	},
);
