import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { ProgressMessage } from "../../../src/api/engine/image.ts";
import { sha256 } from "../../../src/base/digest.ts";
import { FakeRegistry, sendBlob } from "../../support/fake-registry.ts";
import { ImageBench, localRemotes } from "../../support/image-bench.ts";

let registry: FakeRegistry;
let bench: ImageBench;

beforeEach(async () => {
	registry = await FakeRegistry.open();
	const timeouts = { answerMs: 400, stallMs: 400 };
	bench = new ImageBench(undefined, undefined, localRemotes({ attempts: 2, timeouts }));
});

afterEach(async () => {
	await bench[Symbol.asyncDispose]();
	await registry[Symbol.asyncDispose]();
});

async function pull(
	name: string,
	options: { tag?: string; platform?: string; signal?: AbortSignal; credentials?: Credentials } = {},
): Promise<ProgressMessage[]> {
	const { tag = "1", platform = "", signal = new AbortController().signal, credentials } = options;
	const request = { image: `${registry.host}/${name}`, tag, platform, credentials };
	const messages: ProgressMessage[] = [];
	for await (const message of bench.service.pull(request, signal)) messages.push(message);
	return messages;
}

interface Credentials {
	readonly username: string;
	readonly password: string;
}

/** Nothing of an image, nor of one on its way. */
function leftovers(): string[] {
	const areas = ["snapshots/layers", "snapshots/ingest", "content/ingest", "content/blobs/sha256"];
	return areas.flatMap((area) => readdirSync(join(bench.root, area)).map((name) => `${area}/${name}`));
}

const FILES = [{ a: "one" }, { b: "two".repeat(1000) }, { c: "three" }];

describe("pull", () => {
	test("unpacks the layers and names the image by tag and digest", async () => {
		registry.addImage("1", FILES);
		const messages = await pull("app");
		const image = await bench.service.inspect(`${registry.host}/app:1`);
		expect(image.RootFS.Layers).toHaveLength(3);
		const digest = messages.find(({ status }) => status?.startsWith("Digest: "))?.status?.slice("Digest: ".length);
		expect(image.RepoDigests).toEqual([`${registry.host}/app@${digest}`]);
		expect(messages.at(-1)?.status).toBe(`Status: Downloaded newer image for ${registry.host}/app:1`);
	});

	test("of the same image again fetches the manifest only", async () => {
		registry.addImage("1", FILES);
		await pull("app");
		registry.requests.length = 0;
		const messages = await pull("app");
		expect(registry.requests).toEqual(["GET /v2/app/manifests/1"]);
		expect(messages.at(-1)?.status).toBe(`Status: Image is up to date for ${registry.host}/app:1`);
	});

	test("fetches a layer once when two pulls want it", async () => {
		const { layers } = registry.addImage("1", FILES);
		await Promise.all([pull("app"), pull("app")]);
		for (const digest of layers)
			expect(registry.requests.filter((line) => line === `GET /v2/app/blobs/${digest}`)).toHaveLength(1);
	});

	test("goes on where a transfer broke", async () => {
		const { layers } = registry.addImage("1", FILES);
		const broken = layers[1] ?? "";
		const whole = registry.blobs.get(broken) ?? Buffer.alloc(0);
		registry.misbehave = (request, response) => {
			if (!request.url?.endsWith(broken) || request.headers.range !== undefined) return false;
			response.writeHead(200, { "Content-Length": whole.length });
			response.write(whole.subarray(0, 20), () => setTimeout(() => response.socket?.destroy(), 20));
			return true;
		};
		await pull("app");
		expect(registry.requests).toContain(`GET /v2/app/blobs/${broken} bytes=20-`);
	});

	test("waits as long as Retry-After says", async () => {
		registry.addImage("1", FILES);
		let refused = 0;
		registry.misbehave = (_request, response) => {
			if (refused++ > 0) return false;
			response.writeHead(429, { "Retry-After": "0" }).end();
			return true;
		};
		await pull("app");
		expect(registry.requests.filter((line) => line === "GET /v2/app/manifests/1")).toHaveLength(2);
	});

	test("chooses the platform from an index and keeps the index's digest", async () => {
		const images = ["amd64", "arm64"].map((architecture) => {
			registry.addImage(architecture, [{ architecture }], architecture);
			const bytes = registry.manifests.get(architecture)?.bytes ?? Buffer.alloc(0);
			const mediaType = registry.manifests.get(architecture)?.type ?? "";
			return { mediaType, digest: sha256(bytes), size: bytes.length, platform: { os: "linux", architecture } };
		});
		const index = registry.addManifest("1", {
			schemaVersion: 2,
			mediaType: "application/vnd.oci.image.index.v1+json",
			manifests: images,
		});
		await pull("app", { platform: "linux/arm64" });
		const image = await bench.service.inspect(`${registry.host}/app@${index}`);
		expect(image.Architecture).toBe("arm64");
		await expect(pull("app", { platform: "linux/s390x" })).rejects.toThrow(
			"no matching manifest for linux/s390x in the manifest list entries",
		);
	});

	test("stops at once when cancelled and leaves nothing half-made", async () => {
		const { layers } = registry.addImage("1", FILES);
		const controller = new AbortController();
		registry.misbehave = (request, response) => {
			if (!layers.some((digest) => request.url?.endsWith(digest))) return false;
			response.writeHead(200, { "Content-Length": 1000 }).write("x");
			controller.abort();
			return true;
		};
		await expect(pull("app", { signal: controller.signal })).rejects.toMatchObject({ kind: "cancelled" });
		expect(leftovers()).toEqual([]);
	});
});

describe("a pull that was cut short", () => {
	/** Cancelled when all layers but one are verified. @returns the request for that one */
	async function interrupted(missing: number): Promise<string> {
		const { layers } = registry.addImage("1", FILES);
		const missingDigest = layers[missing] ?? "";
		const controller = new AbortController();
		registry.misbehave = (request, response) => {
			if (request.url?.endsWith(missingDigest) !== true) return false;
			response.writeHead(200, { "Content-Length": 1000 }).write("x");
			return true;
		};
		const request = { image: `${registry.host}/app`, tag: "1", platform: "", credentials: undefined };
		const verified = new Set<string>();
		const work = async () => {
			for await (const { id, status } of bench.service.pull(request, controller.signal)) {
				if (status === "Extracting") verified.add(id ?? "");
				if (verified.size === FILES.length - 1) controller.abort();
			}
		};
		await expect(work()).rejects.toMatchObject({ kind: "cancelled" });
		registry.misbehave = () => false;
		registry.requests.length = 0;
		return `GET /v2/app/blobs/${missingDigest}`;
	}
	const fetchedLayers = () => {
		const { layers } = registry.addImage("1", FILES);
		return registry.requests.filter((line) => layers.some((digest) => line.endsWith(digest)));
	};

	test.each([0, 1, 2])("fetches only what is missing the next time: layer %d", async (missing) => {
		const request = await interrupted(missing);
		await pull("app");
		expect(fetchedLayers()).toEqual([request]);
		expect(bench.store.layers().map(({ keepUntil }) => keepUntil)).toEqual([undefined, undefined, undefined]);
		await bench.save(`${registry.host}/app:1`);
		await bench.service.remove(`${registry.host}/app:1`, { force: true, noPrune: false });
		expect(leftovers()).toEqual([]);
	});

	test("goes on after a restart with the layers that stand on complete ones", async () => {
		const request = await interrupted(2);
		bench.restart();
		await bench.service.cleanUp(new Set());
		await pull("app");
		expect(fetchedLayers()).toEqual([request]);
	});

	test.each([0, 2])("keeps nothing longer than a day: layer %d is missing", async (missing) => {
		await interrupted(missing);
		await bench.service.collectGarbage();
		expect(leftovers()).not.toEqual([]);
		bench.clockOffsetMs = 24 * 60 * 60 * 1000 + 1;
		await bench.service.collectGarbage();
		expect(leftovers()).toEqual([]);
	});

	test.each([0, 2])("leaves nothing after a prune: layer %d is missing", async (missing) => {
		await interrupted(missing);
		await bench.service.prune(new Map());
		expect(leftovers()).toEqual([]);
	});

	test("leaves nothing when what comes then is wrong", async () => {
		const request = await interrupted(1);
		registry.misbehave = (asked, response) => {
			if (request !== `GET ${asked.url}`) return false;
			response.end(Buffer.alloc(registry.blobs.get(asked.url?.split("/").at(-1) ?? "")?.length ?? 0));
			return true;
		};
		await expect(pull("app")).rejects.toMatchObject({ kind: "invalid-parameter" });
		expect(leftovers()).toEqual([]);
	});
});

describe("a registry that lies is refused and leaves nothing", () => {
	test("a wrong byte in a layer", async () => {
		const { layers } = registry.addImage("1", FILES);
		const bytes = Buffer.from(registry.blobs.get(layers[1] ?? "") ?? "");
		bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1;
		registry.blobs.set(layers[1] ?? "", bytes);
		await expect(pull("app")).rejects.toMatchObject({ kind: "invalid-parameter" });
		expect(leftovers()).toEqual([]);
	});

	test("other bytes for a digest", async () => {
		registry.addImage("1", FILES);
		const wanted = sha256("something else");
		const manifest = registry.manifests.get("1");
		if (manifest !== undefined) registry.manifests.set(wanted, manifest);
		await expect(pull("app", { tag: wanted })).rejects.toThrow(`manifest verification failed for digest ${wanted}`);
		expect(leftovers()).toEqual([]);
	});

	test("a layer longer than the manifest says", async () => {
		const { layers } = registry.addImage("1", FILES);
		const blob = registry.blobs.get(layers[0] ?? "") ?? Buffer.alloc(0);
		registry.misbehave = (request, response) => {
			if (!request.url?.endsWith(layers[0] ?? "")) return false;
			sendBlob(response, Buffer.concat([blob, Buffer.alloc(1000)]), undefined);
			return true;
		};
		await expect(pull("app")).rejects.toThrow("the registry sends more than");
		expect(leftovers()).toEqual([]);
	});

	test("a manifest without end", async () => {
		registry.misbehave = (_request, response) => {
			response.writeHead(200, { "Content-Type": "application/vnd.oci.image.manifest.v1+json" });
			for (let chunk = 0; chunk < 6; chunk++) response.write(Buffer.alloc(1 << 20, 32));
			return true;
		};
		await expect(pull("app")).rejects.toThrow("is larger than");
	});

	test("an answer that never comes", async () => {
		registry.misbehave = () => true;
		await expect(pull("app")).rejects.toThrow("timeout exceeded while awaiting headers");
	});

	test("a layer that stops in the middle and never goes on", async () => {
		const { layers } = registry.addImage("1", FILES);
		registry.misbehave = (request, response) => {
			if (!request.url?.endsWith(layers[0] ?? "")) return false;
			response.writeHead(200, { "Content-Length": 1000 }).flushHeaders();
			return true;
		};
		await expect(pull("app")).rejects.toThrow("the registry does not send any more");
		// The other layers wait for the next pull.
		await bench.service.prune(new Map());
		expect(leftovers()).toEqual([]);
	});

	test("an index that holds itself, as far as it can", async () => {
		registry.misbehave = (request, response) => {
			if (!request.url?.includes("/manifests/")) return false;
			const type = "application/vnd.oci.image.index.v1+json";
			const child = {
				mediaType: type,
				digest: sha256("index"),
				size: 5,
				platform: { os: "linux", architecture: "amd64" },
			};
			response
				.writeHead(200, { "Content-Type": type })
				.end(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [child] }));
			return true;
		};
		await expect(pull("app")).rejects.toThrow("manifest verification failed");
	});

	test("a chart instead of an image", async () => {
		const { manifest } = registry.addImage("1", FILES);
		const config = { ...(manifest["config"] as object), mediaType: "application/vnd.cncf.helm.config.v1+json" };
		registry.addManifest("1", { ...manifest, config });
		await expect(pull("app")).rejects.toThrow(
			'Encountered remote "application/vnd.cncf.helm.config.v1+json"(unknown) when fetching',
		);
	});

	test("an unknown name, in the words clients know", async () => {
		await expect(pull("nothing")).rejects.toThrow(
			`manifest for ${registry.host}/nothing:1 not found: manifest unknown: manifest unknown`,
		);
	});
});

describe("credentials", () => {
	const joe = { username: "joe", password: "secret" };

	test("go to the token server named by the registry, and the token to the registry", async () => {
		registry.addImage("1", FILES);
		registry.misbehave = (request, response) => {
			if (request.url?.startsWith("/token")) response.end(JSON.stringify({ token: "t0ken", expires_in: 300 }));
			else if (request.headers.authorization === "Bearer t0ken") return false;
			else {
				const realm = `http://${registry.host}/token`;
				response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}",service="s"` }).end();
			}
			return true;
		};
		await pull("app", { credentials: joe });
		expect(registry.requests[1]).toBe("GET /token?service=s&scope=repository%3Aapp%3Apull&account=joe");
		expect(registry.authorizations[1]).toBe(`Basic ${btoa("joe:secret")}`);
	});

	test("do not go to the host a blob is redirected to, even when it asks for them", async () => {
		await using other = await FakeRegistry.open();
		const { layers } = registry.addImage("1", FILES);
		for (const [digest, bytes] of registry.blobs) other.blobs.set(digest, bytes);
		other.misbehave = (request, response) => {
			if (!request.url?.endsWith(layers[1] ?? "")) return false;
			const realm = `http://${other.host}/token`;
			response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${realm}",service="s"` }).end();
			return true;
		};
		registry.misbehave = (request, response) => {
			if (request.headers.authorization === undefined) {
				response.writeHead(401, { "WWW-Authenticate": 'Basic realm="r"' }).end();
				return true;
			}
			if (!request.url?.includes("/blobs/")) return false;
			response.writeHead(307, { Location: `http://${other.host}${request.url}` }).end();
			return true;
		};
		await expect(pull("app", { credentials: joe })).rejects.toMatchObject({ kind: "unauthorized" });
		expect(other.requests.some((line) => line.includes("/token"))).toBe(false);
		expect(new Set(other.authorizations)).toEqual(new Set([undefined]));
		expect(leftovers()).toEqual([]);
	});
});
