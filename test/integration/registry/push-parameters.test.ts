/** What a push may ask for besides storing: several tags at once, blobs of wherever they are, and what it may not. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
	digestOf,
	OCI_MANIFEST,
	pushBlob,
	pushImage,
	putManifest,
	type RegistryProcess,
	startRegistry,
} from "../../support/registry-server.ts";

let registry: RegistryProcess;
beforeAll(async () => {
	registry = await startRegistry();
});
afterAll(() => registry[Symbol.asyncDispose]());

const at = (path: string) => `${registry.url}/v2/${path}`;

test("a manifest pushed by digest takes the tags of the query, whatever the digest's algorithm", async () => {
	const { text } = await pushImage(registry.url, "tagged/app", "first");
	const sha512 = `sha512:${createHash("sha512").update(text).digest("hex")}`;
	for (const digest of [digestOf(text), sha512]) {
		const response = await putManifest(
			registry.url,
			"tagged/app",
			`${digest}?tag=1.2&tag=1&tag=latest&tag=1`,
			text,
			OCI_MANIFEST,
		);
		expect([response.status, response.headers.get("oci-tag")]).toEqual([201, "1.2, 1, latest"]);
		for (const tag of ["1.2", "1", "latest"]) {
			const head = await fetch(at(`tagged/app/manifests/${tag}`), { method: "HEAD" });
			expect(head.headers.get("docker-content-digest")).toBe(digest);
		}
	}
});

test("a wrong tag among them stores nothing, and too many are refused", async () => {
	const { text } = await pushImage(registry.url, "tagged/source", "1");
	const put = (query: string) =>
		putManifest(registry.url, "tagged/source", `${digestOf(text)}?${query}`, text, OCI_MANIFEST);
	expect((await put("tag=good&tag=-bad")).status).toBe(400);
	expect((await fetch(at("tagged/source/manifests/good"))).status).toBe(404);
	const many = Array.from({ length: 101 }, (_, index) => `tag=t${index}`).join("&");
	expect((await put(many)).status).toBe(414);
});

test("a mount that names no repository takes the blob from any", async () => {
	const digest = await pushBlob(registry.url, "anywhere/one", "shared by all");
	const mount = await fetch(at(`anywhere/two/blobs/uploads/?mount=${digest}`), { method: "POST" });
	expect(mount.status).toBe(201);
	expect(await (await fetch(at(`anywhere/two/blobs/${digest}`))).text()).toBe("shared by all");
	const unknown = await fetch(at(`anywhere/two/blobs/uploads/?mount=${digestOf("nowhere")}`), { method: "POST" });
	expect(unknown.status).toBe(202);
});

test("a manifest that is too large is refused with 413", async () => {
	const text = JSON.stringify({ schemaVersion: 2, annotations: { a: "x".repeat(4 << 20) } });
	expect((await putManifest(registry.url, "large/app", "1", text, OCI_MANIFEST, { keepalive: false })).status).toBe(
		413,
	);
});
