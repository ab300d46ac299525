/** Transfers that are left, broken or wanted twice; what is here or there already does not travel. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxTar } from "../../../tools/base-images/busybox.ts";
import { ClientSuite } from "../../support/client-suite.ts";
import { waitFor } from "../../support/commands.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { RegistryContent } from "../../support/registry-content.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";
import { SlowLink } from "../../support/slow-link.ts";
import { tarOf } from "../../support/tar-builder.ts";

const suite = ClientSuite.use();
let registry: RegistryProcess;
let content: RegistryContent;
/** That nothing compresses. */
const noise = (megabytes: number) => tarOf({ name: "noise", content: randomBytes(megabytes << 20) });

beforeAll(async () => {
	registry = await startRegistry();
	content = new RegistryContent(registry.url, "app");
});
afterAll(() => registry[Symbol.asyncDispose]());

const rate = { slow: 4 << 20, fast: 1 << 30 };

describe("a client that leaves", () => {
	for (const client of ["docker", "gantry"] as const)
		test(`${client}: the pull ends with it, and another one works`, async () => {
			await using fake = await FakeRegistry.open();
			const { layers } = fake.addImage("1", [{ a: "one" }, { b: client }]);
			const arrived = Promise.withResolvers<void>();
			const closed = Promise.withResolvers<void>();
			fake.misbehave = (request, response) => {
				if (!request.url?.endsWith(layers[1] ?? "")) return false;
				response.writeHead(200, { "Content-Length": fake.blobs.get(layers[1] ?? "")?.length }).write("x");
				request.socket.once("close", () => closed.resolve());
				arrived.resolve();
				return true;
			};
			const image = `${fake.host}/left:1`;
			const session = suite.daemon.terminal(client, ["pull", image]);
			await arrived.promise;
			session.type("\u0003");
			await closed.promise;
			await session.exited;
			const { dataRoot } = suite.daemon;
			await waitFor("the half-made layers to go", () => readdirSync(join(dataRoot, "snapshots/ingest")).length === 0);
			expect(await suite.must(["images", "-q", image])).toBe("");
			fake.misbehave = () => false;
			await suite.must(["pull", "-q", image]);
		});

	test("a push ends with it, too", async () => {
		await using link = await SlowLink.open(registry.host, rate.slow);
		const image = `${link.host}/left-push:1`;
		const container = await suite.must(["create", "busybox"]);
		writeFileSync(join(suite.folder, "noise"), randomBytes(16 << 20));
		await suite.must(["cp", join(suite.folder, "noise"), `${container}:/noise`]);
		await suite.must(["commit", container, image]);
		const session = suite.daemon.terminal("docker", ["push", image]);
		await waitFor("the upload to begin", () => link.sentBytes > 1 << 20);
		session.type("\u0003");
		await session.exited;
		await waitFor("the registry to forget the upload", () => readdirSync(join(registry.root, "uploads")).length === 0);
		await waitFor("the bytes to stop", async () => {
			const before = link.sentBytes;
			await Bun.sleep(100);
			return link.sentBytes === before;
		});
		link.bytesPerSecond = rate.fast;
		await suite.must(["push", image]);
		expect((await fetch(`${registry.url}/v2/left-push/manifests/1`)).status).toBe(200);
	});
});

test("two clients that pull the same at once fetch each layer once; a third fetches the manifest only", async () => {
	await using fake = await FakeRegistry.open();
	const { layers } = fake.addImage("1", [{ first: "1" }, { second: "2" }, { third: "3" }]);
	const image = `${fake.host}/twice:1`;
	await Promise.all([suite.daemon.mustDocker(["pull", image]), suite.daemon.mustGantry(["pull", image])]);
	for (const digest of layers)
		expect(fake.requests.filter((line) => line === `GET /v2/twice/blobs/${digest}`)).toHaveLength(1);
	fake.requests.length = 0;
	await suite.must(["pull", image]);
	expect(fake.requests).toEqual(["GET /v2/twice/manifests/1"]);
});

test("layers that are here do not come again, those that are there are not sent", async () => {
	const busybox = { tar: makeBusyboxTar() };
	const [one, two] = [
		await content.image({ layers: [busybox, { files: { one: "1" } }] }, "one"),
		await content.image({ layers: [busybox, { files: { two: "2" } }] }, "two"),
	];
	expect(one.digest).not.toBe(two.digest);
	await suite.must(["pull", `${registry.host}/app:one`]);
	const second = await suite.must(["pull", `${registry.host}/app:two`]);
	expect(second.match(/: Already exists/g)).toHaveLength(1);
	expect(second.match(/: Pull complete/g)).toHaveLength(1);
	const before = registry.log().length;
	await suite.must(["tag", `${registry.host}/app:two`, `${registry.host}/app:three`]);
	await suite.must(["tag", `${registry.host}/app:two`, `${registry.host}/elsewhere:1`]);
	expect(await suite.must(["push", `${registry.host}/app:three`])).not.toContain("Pushed");
	expect(await suite.must(["push", `${registry.host}/elsewhere:1`])).toContain(": Mounted from app");
	expect(registry.log().slice(before)).not.toContain("method=PATCH path=/v2/app/");
});

describe("a registry that is killed in the middle and comes back", () => {
	let root = "";
	beforeAll(() => {
		root = mkdtempSync(join(tmpdir(), "gantry-killed-"));
	});
	afterAll(() => rmSync(root, { recursive: true, force: true }));

	test("goes on with a pull where it broke off", async () => {
		const first = await startRegistry([], root);
		await using link = await SlowLink.open(first.host, rate.slow);
		const image = { layers: [{ tar: noise(12), compression: "none" as const }] };
		const { digest } = await new RegistryContent(first.url, "pulled").image(image, "1");
		const pulling = suite.must(["pull", `${link.host}/pulled:1`]);
		await waitFor("the layer to be half here", () => link.receivedBytes > 6 << 20);
		await first.end("SIGKILL");
		await using again = await startRegistry(["--addr", first.host], root);
		link.bytesPerSecond = rate.fast;
		expect(await pulling).toContain(`Digest: ${digest}`);
		expect(again.log()).toMatch(/method=GET path=\/v2\/pulled\/blobs\/\S+ status=206/);
	});

	test("gets a push whole", async () => {
		const first = await startRegistry([], root);
		await using link = await SlowLink.open(first.host, rate.slow);
		const container = await suite.must(["create", "busybox"]);
		writeFileSync(join(suite.folder, "noise"), randomBytes(12 << 20));
		await suite.must(["cp", join(suite.folder, "noise"), `${container}:/noise`]);
		await suite.must(["commit", container, `${link.host}/pushed:1`]);
		const pushing = suite.must(["push", `${link.host}/pushed:1`]);
		await waitFor("the layer to be half there", () => link.sentBytes > 6 << 20);
		await first.end("SIGKILL");
		await using again = await startRegistry(["--addr", first.host], root);
		link.bytesPerSecond = rate.fast;
		const digest = /digest: (sha256:\S+)/.exec(await pushing)?.[1];
		const stored = await fetch(`${again.url}/v2/pushed/manifests/1`, { headers: { Accept: "*/*" } });
		expect(stored.headers.get("docker-content-digest")).toBe(digest ?? "");
		await suite.must(["rmi", `${link.host}/pushed:1`]);
		await suite.must(["pull", `${link.host}/pushed:1`]);
	});
});
