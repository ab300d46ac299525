/** The cache of another registry over time, and what an operator's tools read of it. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { digestOf, pushImage, type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

const ACCEPT = { headers: { Accept: "*/*" } };

/** As if a day had gone by. */
function age(registry: RegistryProcess): void {
	const old = new Date(Date.now() - 86_400_000);
	for (const entry of readdirSync(registry.root, { recursive: true, withFileTypes: true }))
		if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), old, old);
}

async function collect(registry: RegistryProcess): Promise<void> {
	const before = registry.log().length;
	process.kill(registry.pid, "SIGUSR1");
	while (!registry.log().slice(before).includes("garbage collected")) await Bun.sleep(20);
}

test("a cache drops what nobody pulls any more, keeps the rest, and fetches again what is asked for again", async () => {
	await using origin = await startRegistry();
	const [used, unused] = [await pushImage(origin.url, "a/used", "1"), await pushImage(origin.url, "a/unused", "1")];
	await using cache = await startRegistry(["--proxy", origin.url, "--proxy-keep", "2h", "--gc-grace", "1h"]);
	const pull = async (name: string, { layer, digest }: typeof used) => {
		const manifest = await fetch(`${cache.url}/v2/${name}/manifests/1`, ACCEPT);
		expect(manifest.headers.get("docker-content-digest")).toBe(digest);
		const blob = await fetch(`${cache.url}/v2/${name}/blobs/${layer}`);
		expect(digestOf(new Uint8Array(await blob.arrayBuffer()))).toBe(layer);
	};
	const fileOf = (digest: string) => join(cache.root, "blobs/sha256", digest.slice(7, 9), digest.slice(7));
	await pull("a/used", used);
	await pull("a/unused", unused);
	age(cache);
	// Pulling it once a day is enough.
	await pull("a/used", used);
	await collect(cache);
	expect([used.layer, unused.layer].map((digest) => existsSync(fileOf(digest)))).toEqual([true, false]);
	await pull("a/unused", unused);
	expect(existsSync(fileOf(unused.layer))).toBe(true);
	expect((await fetch(`${cache.url}/v2/a/used/blobs/uploads/`, { method: "POST" })).status).toBe(405);
});

test("a cache of a cache of a registry gives the same bytes", async () => {
	await using origin = await startRegistry();
	const image = await pushImage(origin.url, "deep/app", "1");
	await using near = await startRegistry(["--proxy", origin.url]);
	await using far = await startRegistry(["--proxy", near.url]);
	const manifest = await fetch(`${far.url}/v2/deep/app/manifests/1`, ACCEPT);
	expect(await manifest.text()).toBe(image.text);
	const blobs = await Promise.all(
		Array.from({ length: 8 }, async () => {
			const response = await fetch(`${far.url}/v2/deep/app/blobs/${image.layer}`);
			return digestOf(new Uint8Array(await response.arrayBuffer()));
		}),
	);
	expect(new Set(blobs)).toEqual(new Set([image.layer]));
	expect(origin.log().match(new RegExp(`method=GET path=/v2/deep/app/blobs/${image.layer}`, "g"))).toHaveLength(1);
});

test("the metrics are in Prometheus's text format", async () => {
	await using registry = await startRegistry();
	await pushImage(registry.url, "a/b", "1");
	await fetch(`${registry.url}/v2/a/b/manifests/nothing`);
	const text = await (await fetch(`${registry.url}/metrics`)).text();
	expect(text).toEndWith("\n");
	const families = new Map<string, string>();
	const series = new Set<string>();
	for (const line of text.trimEnd().split("\n")) {
		const [, kind, family = "", rest = ""] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? [];
		if (kind === "TYPE") {
			expect(families.has(family)).toBe(false);
			families.set(family, rest);
		}
		if (kind !== undefined) continue;
		const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|[+-]Inf|NaN)$/.exec(line);
		expect({ line, isSample: sample !== null }).toEqual({ line, isSample: true });
		const name = `${sample?.[1]}${sample?.[2] ?? ""}`;
		expect(series.has(name)).toBe(false);
		series.add(name);
		const base = sample?.[1]?.replace(/_(bucket|sum|count)$/, "") ?? "";
		expect({ line, type: families.get(sample?.[1] ?? "") ?? families.get(base) }).toEqual({
			line,
			type: expect.stringMatching(/^(counter|gauge|histogram)$/),
		});
	}
	const buckets = [...text.matchAll(/_bucket\{route="manifest",method="GET",le="[^"]+"\} (\d+)/g)].map(([, n]) =>
		Number(n),
	);
	expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
});
