/** The distribution protocol, end point by end point, against a registry process. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import {
	digestOf,
	errorCode,
	OCI_INDEX,
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
const call = (method: string, path: string, init: RequestInit = {}) => fetch(at(path), { ...init, method });
const locationOf = (response: Response) => new URL(response.headers.get("location") ?? "", registry.url).href;
const start = async (name: string) => locationOf(await call("POST", `${name}/blobs/uploads/`));

describe("blobs", () => {
	test("the base says which protocol it is", async () => {
		const response = await call("GET", "");
		expect([response.status, response.headers.get("docker-distribution-api-version")]).toEqual([200, "registry/2.0"]);
	});

	test("POST with a digest stores a blob at once; GET and HEAD give it back with its headers", async () => {
		const bytes = randomBytes(5000);
		const digest = await pushBlob(registry.url, "a/blob", bytes);
		const head = await call("HEAD", `a/blob/blobs/${digest}`);
		expect([head.status, head.headers.get("content-length"), head.headers.get("docker-content-digest")]).toEqual([
			200,
			"5000",
			digest,
		]);
		const got = await call("GET", `a/blob/blobs/${digest}`);
		expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
		expect(got.headers.get("etag")).toBe(`"${digest}"`);
		expect(got.headers.get("content-length")).toBe("5000");
	});

	test("POST then PUT stores a blob", async () => {
		const digest = digestOf("hello");
		const done = await fetch(`${await start("a/put")}?digest=${digest}`, { method: "PUT", body: "hello" });
		expect([done.status, done.headers.get("docker-content-digest")]).toEqual([201, digest]);
		expect(await (await fetch(locationOf(done))).text()).toBe("hello");
	});

	test("chunks go one after the other, out of order they are refused with where to go on", async () => {
		const upload = await start("a/chunks");
		const patch = (body: string, range: string) =>
			fetch(upload, { method: "PATCH", body, headers: { "Content-Range": range } });
		const first = await patch("hello ", "0-5");
		expect([first.status, first.headers.get("range")]).toEqual([202, "0-5"]);
		const again = await patch("hello ", "0-5");
		expect([again.status, again.headers.get("range")]).toEqual([416, "0-5"]);
		expect((await patch("xx", "9-10")).status).toBe(416);
		const status = await fetch(upload);
		expect([status.status, status.headers.get("range"), locationOf(status)]).toEqual([204, "0-5", upload]);
		expect((await patch("wor", "6-8")).status).toBe(202);
		const last = { method: "PUT", body: "ld", headers: { "Content-Range": "9-10" } };
		const done = await fetch(`${upload}?digest=${digestOf("hello world")}`, last);
		expect(done.status).toBe(201);
		expect(await (await fetch(locationOf(done))).text()).toBe("hello world");
		expect((await fetch(upload)).status).toBe(404);
	});

	test("a stream without a length is an upload too", async () => {
		const pieces = Array.from({ length: 50 }, () => randomBytes(100_000));
		const body = new ReadableStream({
			start(controller) {
				for (const piece of pieces) controller.enqueue(piece);
				controller.close();
			},
		});
		const upload = await start("a/stream");
		expect((await fetch(upload, { method: "PATCH", body })).status).toBe(202);
		const digest = digestOf(Buffer.concat(pieces));
		expect((await fetch(`${upload}?digest=${digest}`, { method: "PUT" })).status).toBe(201);
	});

	test("a wrong digest stores nothing", async () => {
		const digest = digestOf("right");
		const done = await fetch(`${await start("a/wrong")}?digest=${digest}`, { method: "PUT", body: "wrong" });
		expect([done.status, await errorCode(done)]).toEqual([400, "DIGEST_INVALID"]);
		expect((await call("HEAD", `a/wrong/blobs/${digest}`)).status).toBe(404);
		for (const bad of ["", "?digest=nonsense", "?digest=sha256:abc"])
			expect((await fetch(`${await start("a/wrong")}${bad}`, { method: "PUT", body: "x" })).status).toBe(400);
	});

	test("sha512 digests are as good", async () => {
		const digest = `sha512:${new Bun.CryptoHasher("sha512").update("hello").digest("hex")}`;
		const done = await fetch(`${await start("a/sha512")}?digest=${digest}`, { method: "PUT", body: "hello" });
		expect(done.status).toBe(201);
		expect(await (await call("GET", `a/sha512/blobs/${digest}`)).text()).toBe("hello");
	});

	test("an upload can be cancelled, and belongs to one repository", async () => {
		const upload = await start("a/cancel");
		expect((await fetch(upload.replace("a/cancel", "b/other"))).status).toBe(404);
		expect((await fetch(upload, { method: "DELETE" })).status).toBe(204);
		const gone = await fetch(upload, { method: "PATCH", body: "x" });
		expect([gone.status, await errorCode(gone)]).toEqual([404, "BLOB_UPLOAD_UNKNOWN"]);
	});

	test("a connection that breaks in the middle leaves an upload to go on with", async () => {
		const upload = new URL(await start("a/broken"));
		await new Promise<void>((resolve) => {
			const socket = connect(Number(upload.port), upload.hostname, () => {
				socket.write(`PATCH ${upload.pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`);
				socket.write(Buffer.alloc(300_000, 7), () => setTimeout(() => resolve(void socket.destroy()), 200));
			});
		});
		const status = await fetch(upload);
		const offset = Number(status.headers.get("range")?.split("-")[1]) + 1;
		expect(offset).toBeGreaterThan(1);
		expect(offset).toBeLessThanOrEqual(300_000);
		const rest = Buffer.alloc(1_000_000 - offset, 7);
		const headers = { "Content-Range": `${offset}-999999` };
		expect((await fetch(upload, { method: "PATCH", body: rest, headers })).status).toBe(202);
		const digest = digestOf(Buffer.alloc(1_000_000, 7));
		expect((await fetch(`${upload}?digest=${digest}`, { method: "PUT" })).status).toBe(201);
	});

	test("a request that hangs gives way to the next one of the same upload", async () => {
		const upload = new URL(await start("a/hangs"));
		const socket = connect(Number(upload.port), upload.hostname);
		socket.on("error", () => undefined);
		socket.write(`PATCH ${upload.pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhello`);
		await Bun.sleep(200);
		// Nothing of the hanging request is lost that had arrived.
		const next = await fetch(upload, { method: "PATCH", body: " world", headers: { "Content-Range": "5-10" } });
		expect(next.status).toBe(202);
		expect((await fetch(`${upload}?digest=${digestOf("hello world")}`, { method: "PUT" })).status).toBe(201);
		socket.destroy();
	});

	test("a mount takes a blob of another repository, or begins an upload", async () => {
		const digest = await pushBlob(registry.url, "mount/from", "shared");
		expect((await call("HEAD", `mount/to/blobs/${digest}`)).status).toBe(404);
		const mounted = await call("POST", `mount/to/blobs/uploads/?mount=${digest}&from=mount/from`);
		expect(mounted.status).toBe(201);
		expect(await (await call("GET", `mount/to/blobs/${digest}`)).text()).toBe("shared");
		for (const query of [`mount=${digestOf("no")}&from=mount/from`, `mount=${digest}&from=mount/none`])
			expect((await call("POST", `mount/other/blobs/uploads/?${query}`)).status).toBe(202);
	});

	test("ranges, and what the client has already", async () => {
		const digest = await pushBlob(registry.url, "a/range", "0123456789");
		const get = (headers: Record<string, string>) => call("GET", `a/range/blobs/${digest}`, { headers });
		const cases: [string, number, string, string | null][] = [
			["bytes=2-4", 206, "234", "bytes 2-4/10"],
			["bytes=7-", 206, "789", "bytes 7-9/10"],
			["bytes=-3", 206, "789", "bytes 7-9/10"],
			["bytes=5-99", 206, "56789", "bytes 5-9/10"],
			["bytes=10-", 416, "", "bytes */10"],
			["bytes=4-2", 200, "0123456789", null],
			["bytes=0-1,4-5", 200, "0123456789", null],
		];
		for (const [range, status, text, contentRange] of cases) {
			const response = await get({ Range: range });
			expect([range, response.status, await response.text(), response.headers.get("content-range")]).toEqual([
				range,
				status,
				text,
				contentRange,
			]);
		}
		expect((await get({ "If-None-Match": `"${digest}"` })).status).toBe(304);
		expect((await get({ Range: "bytes=2-4", "If-Range": '"other"' })).status).toBe(200);
	});

	test("DELETE takes a blob out of its repository alone", async () => {
		const digest = await pushBlob(registry.url, "del/one", "deleted");
		await call("POST", `del/two/blobs/uploads/?mount=${digest}&from=del/one`);
		expect((await call("DELETE", `del/one/blobs/${digest}`)).status).toBe(202);
		expect((await call("GET", `del/one/blobs/${digest}`)).status).toBe(404);
		expect((await call("DELETE", `del/one/blobs/${digest}`)).status).toBe(404);
		expect((await call("HEAD", `del/two/blobs/${digest}`)).status).toBe(200);
	});
});

describe("manifests", () => {
	test("are kept byte for byte, by tag and digest, with negotiation and ETags", async () => {
		const { text, digest } = await pushImage(registry.url, "m/image", "v1", { annotations: { "x.y": "ü" } });
		for (const reference of ["v1", digest]) {
			const response = await call("GET", `m/image/manifests/${reference}`);
			expect([
				await response.text(),
				response.headers.get("content-type"),
				response.headers.get("docker-content-digest"),
			]).toEqual([text, OCI_MANIFEST, digest]);
			const head = await call("HEAD", `m/image/manifests/${reference}`);
			expect([head.status, head.headers.get("content-length")]).toEqual([200, String(Buffer.byteLength(text))]);
			const again = await call("GET", `m/image/manifests/${reference}`, {
				headers: { "If-None-Match": `"${digest}"` },
			});
			expect(again.status).toBe(304);
		}
	});

	test("an index needs its manifests, and clients without indexes get linux/amd64 by tag", async () => {
		const { digest, text } = await pushImage(registry.url, "m/index", undefined);
		const entry = {
			mediaType: OCI_MANIFEST,
			digest,
			size: Buffer.byteLength(text),
			platform: { os: "linux", architecture: "amd64" },
		};
		const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] });
		expect((await putManifest(registry.url, "m/index", "multi", index, OCI_INDEX)).status).toBe(201);
		const plain = await call("GET", "m/index/manifests/multi", {
			headers: { Accept: `${OCI_MANIFEST}, ${OCI_INDEX}` },
		});
		expect(await plain.text()).toBe(index);
		const old = await call("GET", "m/index/manifests/multi", { headers: { Accept: OCI_MANIFEST } });
		expect(old.headers.get("docker-content-digest")).toBe(digest);
		const sparse = index.replace(digest, digestOf("none"));
		const refused = await putManifest(registry.url, "m/index", "sparse", sparse, OCI_INDEX);
		expect(await errorCode(refused)).toBe("MANIFEST_BLOB_UNKNOWN");
	});

	test("unknown artifacts are kept as they are", async () => {
		const text = '{ "schemaVersion" : 2,\n "mediaType":"application/vnd.example.thing+json", "anything": [1, 2.50] }\n';
		const put = await putManifest(registry.url, "m/artifact", "x", text, "application/vnd.example.thing+json");
		expect(put.status).toBe(201);
		const got = await call("GET", "m/artifact/manifests/x");
		expect([await got.text(), got.headers.get("content-type")]).toEqual([text, "application/vnd.example.thing+json"]);
	});

	test("bad manifests are refused, each with its code", async () => {
		const { text, layer } = await pushImage(registry.url, "m/bad", "good");
		const cases: [string, string, string, string][] = [
			["not JSON", "{", OCI_MANIFEST, "MANIFEST_INVALID"],
			["a list", "[]", OCI_MANIFEST, "MANIFEST_INVALID"],
			["schema 1", '{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+json", "MANIFEST_INVALID"],
			["no configuration", '{"schemaVersion":2,"layers":[]}', OCI_MANIFEST, "MANIFEST_INVALID"],
			["another media type than said", text, OCI_INDEX, "MANIFEST_INVALID"],
			["a layer that is not here", text.replace(layer, digestOf("nowhere")), OCI_MANIFEST, "MANIFEST_BLOB_UNKNOWN"],
			["a wrong size", text.replace('"size":1000', '"size":1001'), OCI_MANIFEST, "MANIFEST_INVALID"],
			["a negative size", text.replace('"size":1000', '"size":-1'), OCI_MANIFEST, "MANIFEST_INVALID"],
			["a path for a digest", text.replace(layer, "sha256:../../../../etc/passwd"), OCI_MANIFEST, "MANIFEST_INVALID"],
			["deep nesting", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, OCI_MANIFEST, "MANIFEST_INVALID"],
			["too many bytes", JSON.stringify({ schemaVersion: 2, a: "x".repeat(4 << 20) }), OCI_MANIFEST, "SIZE_INVALID"],
		];
		for (const [what, body, type, code] of cases)
			expect([
				what,
				await errorCode(await putManifest(registry.url, "m/bad", "bad", body, type, { keepalive: false })),
			]).toEqual([what, code]);
		const other = await putManifest(registry.url, "m/bad", digestOf("other"), text, OCI_MANIFEST);
		expect(await errorCode(other)).toBe("DIGEST_INVALID");
		expect((await call("GET", "m/bad/manifests/bad")).status).toBe(404);
	});

	test("layers that live elsewhere need not be here", async () => {
		const { text, layer } = await pushImage(registry.url, "m/foreign", "x");
		const manifest = JSON.parse(text);
		manifest.layers[0] = { ...manifest.layers[0], digest: digestOf("elsewhere"), urls: ["https://example.com/layer"] };
		expect(layer).not.toBe(manifest.layers[0].digest);
		expect((await putManifest(registry.url, "m/foreign", "y", JSON.stringify(manifest), OCI_MANIFEST)).status).toBe(
			201,
		);
	});

	test("deleting a tag leaves the manifest; deleting the manifest takes its tags", async () => {
		const { digest } = await pushImage(registry.url, "m/delete", "one");
		const { text } = await pushImage(registry.url, "m/delete", "other");
		const same = await (await call("GET", "m/delete/manifests/one")).text();
		await putManifest(registry.url, "m/delete", "two", same, OCI_MANIFEST);
		expect((await call("DELETE", "m/delete/manifests/one")).status).toBe(202);
		expect((await call("GET", "m/delete/manifests/one")).status).toBe(404);
		expect((await call("GET", `m/delete/manifests/${digest}`)).status).toBe(200);
		expect((await call("DELETE", `m/delete/manifests/${digest}`)).status).toBe(202);
		const gone = await call("GET", `m/delete/manifests/${digest}`);
		expect([gone.status, await errorCode(gone)]).toEqual([404, "MANIFEST_UNKNOWN"]);
		expect(await (await call("GET", "m/delete/tags/list")).json()).toEqual({ name: "m/delete", tags: ["other"] });
		expect(await (await call("GET", "m/delete/manifests/other")).text()).toBe(text);
	});
});

describe("referrers", () => {
	test("list what has a subject, filtered by kind, and forget what is deleted", async () => {
		const { digest: subject, text } = await pushImage(registry.url, "r/x", "image");
		const about = { subject: { mediaType: OCI_MANIFEST, digest: subject, size: Buffer.byteLength(text) } };
		const empty: { manifests: unknown[] } = JSON.parse(await (await call("GET", `r/x/referrers/${subject}`)).text());
		expect(empty.manifests).toEqual([]);
		const signature = await pushImage(registry.url, "r/x", undefined, {
			...about,
			artifactType: "application/vnd.sig",
			annotations: { a: "b" },
		});
		expect(signature.response.headers.get("oci-subject")).toBe(subject);
		const bom = await pushImage(registry.url, "r/x", "bom", { ...about, artifactType: "application/vnd.bom" });
		const all = await call("GET", `r/x/referrers/${subject}`);
		expect(all.headers.get("content-type")).toBe(OCI_INDEX);
		const index: { manifests: { digest: string }[] } = JSON.parse(await all.text());
		expect(index.manifests.map(({ digest }) => digest).sort()).toEqual([signature.digest, bom.digest].sort());
		const filtered = await call("GET", `r/x/referrers/${subject}?artifactType=application/vnd.sig`);
		expect(filtered.headers.get("oci-filters-applied")).toBe("artifactType");
		expect(await filtered.json()).toEqual({
			schemaVersion: 2,
			mediaType: OCI_INDEX,
			manifests: [
				{
					mediaType: OCI_MANIFEST,
					digest: signature.digest,
					size: Buffer.byteLength(signature.text),
					artifactType: "application/vnd.sig",
					annotations: { a: "b" },
				},
			],
		});
		await call("DELETE", `r/x/manifests/${signature.digest}`);
		const left: { manifests: unknown[] } = JSON.parse(await (await call("GET", `r/x/referrers/${subject}`)).text());
		expect(left.manifests).toHaveLength(1);
		expect((await call("GET", "r/x/referrers/nonsense")).status).toBe(400);
	});
});

describe("lists", () => {
	test("tags come sorted, by pages", async () => {
		for (const tag of ["b", "a", "c", "10", "B"]) await pushImage(registry.url, "l/tags", tag);
		const first = await call("GET", "l/tags/tags/list?n=2");
		expect(await first.json()).toEqual({ name: "l/tags", tags: ["10", "B"] });
		const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
		const second = await fetch(new URL(next, registry.url));
		expect(await second.json()).toEqual({ name: "l/tags", tags: ["a", "b"] });
		const last = await call("GET", "l/tags/tags/list?n=2&last=b");
		expect([await last.json(), last.headers.get("link")]).toEqual([{ name: "l/tags", tags: ["c"] }, null]);
		expect(await (await call("GET", "l/tags/tags/list?n=0")).json()).toEqual({ name: "l/tags", tags: [] });
		expect(await errorCode(await call("GET", "l/tags/tags/list?n=x"))).toBe("PAGINATION_NUMBER_INVALID");
		expect(await errorCode(await call("GET", "l/none/tags/list"))).toBe("NAME_UNKNOWN");
	});

	test("the catalog names all repositories with manifests, by pages", async () => {
		for (const name of ["cat", "cat/a", "cat-b", "cat/a/deep"]) await pushImage(registry.url, name, "x");
		const seen: string[] = [];
		for (let link: string | undefined = "/v2/_catalog?n=3"; link !== undefined; ) {
			const page: Response = await fetch(`${registry.url}${link}`);
			seen.push(...JSON.parse(await page.text()).repositories);
			link = /^<([^>]+)>/.exec(page.headers.get("link") ?? "")?.[1];
		}
		expect(seen.filter((name) => name.startsWith("cat"))).toEqual(["cat", "cat-b", "cat/a", "cat/a/deep"]);
		expect(seen).toEqual([...seen].sort());
	});

	test("search answers in the shape that docker search asks for", async () => {
		await pushImage(registry.url, "library/needle", "x");
		await pushImage(registry.url, "some/needles", "x");
		const found = JSON.parse(await (await fetch(`${registry.url}/v1/search?q=needle&n=25`)).text());
		expect(found).toMatchObject({ num_results: 2, query: "needle", page: 1 });
		expect(found.results).toMatchObject([
			{ name: "needle", is_official: true },
			{ name: "some/needles", is_official: false },
		]);
	});
});

describe("hostile names", () => {
	const names = [
		"UPPER",
		"a//b",
		"..",
		"a/../b",
		"%2e%2e/x",
		"a/_blobs",
		"-a",
		"a%2f..%2fb",
		"a".repeat(300),
		"_blobs/x",
		"a%00b",
	];
	for (const name of names)
		test(`${name.slice(0, 20)} is no repository`, async () => {
			const url = new URL(registry.url);
			const answer = await new Promise<string>((resolve) => {
				let text = "";
				const socket = connect(Number(url.port), url.hostname, () =>
					socket.write(
						`POST /v2/${name}/blobs/uploads/?digest=${digestOf("x")} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`,
					),
				);
				socket.on("data", (piece) => {
					text += piece;
				});
				socket.on("close", () => resolve(text));
			});
			// Dots are resolved before routing, so some of them name another, valid repository or nothing at all.
			const isHarmless =
				/^HTTP\/1.1 (400|404|405)/.test(answer) ||
				(/^HTTP\/1.1 201/.test(answer) && /Location: \/v2\/[a-z]+\/blobs/.test(answer));
			expect([answer.split("\r\n")[0], isHarmless]).toEqual([answer.split("\r\n")[0], true]);
		});

	test("unknown paths and methods have errors", async () => {
		expect((await fetch(`${registry.url}/nothing`)).status).toBe(404);
		const wrong = await call("POST", "a/b/tags/list");
		expect([wrong.status, await errorCode(wrong), wrong.headers.get("allow")]).toEqual([405, "UNSUPPORTED", "GET"]);
	});
});

describe("beside the protocol", () => {
	test("health, metrics and the pages answer; the pages escape what is in them", async () => {
		expect((await fetch(`${registry.url}/healthz`)).status).toBe(200);
		const text = '{"schemaVersion":2,"mediaType":"application/vnd.x+json","evil":"<script>alert(1)</script>"}';
		await putManifest(registry.url, "page/evil", "x", text, "application/vnd.x+json");
		const page = await fetch(`${registry.url}/ui/tag/page/evil/x`);
		const body = await page.text();
		expect(body).toContain("&lt;script&gt;");
		expect(body).not.toContain("<script");
		expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
		expect(await (await fetch(`${registry.url}/ui/repository/page/evil`)).text()).toContain("page/evil");
		expect(await (await fetch(`${registry.url}/ui/?q=page`)).text()).toContain("page/evil");
		const metrics = await (await fetch(`${registry.url}/metrics`)).text();
		expect(metrics).toMatch(/gantry_registry_requests_total\{route="manifest",method="PUT",status="201"\} \d+/);
		expect(metrics).toMatch(
			/gantry_registry_request_duration_seconds_bucket\{route="blob",method="GET",le="\+Inf"\} \d+/,
		);
	});

	test("no failure was logged", () => {
		expect(registry.log()).not.toContain("level=error");
	});
});
