/**
 * The daemon between other people's registries and tools: what skopeo, podman and buildah put into docker-registry is pulled, run and
 * pushed into our registry, and comes out of there with the digests it went in with.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxTar } from "../../../tools/base-images/busybox.ts";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun } from "../../support/commands.ts";
import { installPeers, type PeerRegistry, skopeoCopy, skopeoRaw, startDockerRegistry } from "../../support/peers.ts";
import {
	type Compression,
	compress,
	type Form,
	RegistryContent,
	type Stored,
	TYPES,
} from "../../support/registry-content.ts";
import { digestOf, type RegistryProcess, startRegistry } from "../../support/registry-server.ts";
import { tarOf } from "../../support/tar-builder.ts";

const missing = installPeers();
if (missing !== undefined) console.log(`skipped: ${missing}`);
const peerTest = test.skipIf(missing !== undefined);

const suite = ClientSuite.use();
const busybox = makeBusyboxTar();
let theirs: PeerRegistry;
let ours: RegistryProcess;

beforeAll(async () => {
	if (missing !== undefined) return;
	theirs = await startDockerRegistry();
	ours = await startRegistry();
});
afterAll(async () => {
	if (missing !== undefined) return;
	await theirs[Symbol.asyncDispose]();
	await ours[Symbol.asyncDispose]();
});

/** The digest a client names at the end of a pull or a push. */
const digestIn = (output: string) => /[Dd]igest: (sha256:[0-9a-f]{64})/.exec(output)?.[1];
const remoteDigest = async (reference: string) => digestOf(await skopeoRaw(reference));
const podman = (name: string, ...args: string[]) => {
	const root = join(suite.folder, name);
	return mustRun(["podman", "--root", `${root}/root`, "--runroot", `${root}/run`, "--storage-driver", "vfs", ...args]);
};

describe("an image of every kind keeps its digest through the daemon", () => {
	const kinds: readonly [Form, Compression][] = [
		["oci", "gzip"],
		["oci", "zstd"],
		["oci", "none"],
		["docker", "gzip"],
		["docker", "none"],
	];
	for (const [form, compression] of kinds)
		peerTest(`${form}, ${compression}`, async () => {
			const name = `kinds/${form}-${compression}`;
			const layers = [
				{ tar: busybox, compression },
				{ files: { hello: `${name}\n` }, compression },
			];
			const { digest } = await new RegistryContent(theirs.url, name).image({ form, layers }, "1");
			const source = `${theirs.host}/${name}:1`;
			expect(digestIn(await suite.must(["pull", source]))).toBe(digest);
			expect(await suite.must(["run", "--rm", source, "cat", "/hello"])).toBe(name);
			await suite.must(["tag", source, `${ours.host}/${name}:2`]);
			expect(digestIn(await suite.must(["push", `${ours.host}/${name}:2`]))).toBe(digest);
			expect(await remoteDigest(`${ours.host}/${name}:2`)).toBe(digest);
			// From ours into podman, which checks every digest itself.
			await podman("podman", "pull", "-q", "--tls-verify=false", `${ours.host}/${name}:2`);
			const inspected = await podman("podman", "image", "inspect", "-f", "{{.Digest}}", `${ours.host}/${name}:2`);
			expect(inspected).toBe(digest);
		});
});

describe("what other tools make and push is pulled, run and pushed on", () => {
	const made: readonly [string, (target: string) => Promise<void>][] = [
		["buildah, in OCI form", (target) => buildahMade(target, "oci")],
		["buildah, in Docker's form", (target) => buildahMade(target, "docker")],
		[
			"podman, compressed with zstd",
			async (target) => {
				await podman("maker", "import", "-q", tarFile(), "localhost/made:1");
				const flags = ["-q", "--tls-verify=false", "--compression-format", "zstd", "--format", "oci"];
				await podman("maker", "push", ...flags, "localhost/made:1", `docker://${target}`);
			},
		],
		[
			"skopeo, from one form to the other",
			async (target) => {
				const content = new RegistryContent(theirs.url, "converted/source");
				await content.image({ form: "oci", layers: [{ tar: busybox }, { files: { hello: "made\n" } }] }, "1");
				await skopeoCopy(`docker://${theirs.host}/converted/source:1`, `docker://${target}`, "--format", "v2s2");
			},
		],
	];
	for (const [at, [who, make]] of made.entries())
		peerTest(who, async () => {
			const name = `made/by-${at}`;
			const source = `${theirs.host}/${name}:1`;
			await make(source);
			const digest = await remoteDigest(source);
			expect(digestIn(await suite.daemon.mustGantry(["pull", source]))).toBe(digest);
			expect(await suite.daemon.mustGantry(["run", "--rm", source, "cat", "/hello"])).toBe("made");
			await suite.must(["tag", source, `${ours.host}/${name}:1`]);
			expect(digestIn(await suite.daemon.mustGantry(["push", `${ours.host}/${name}:1`]))).toBe(digest);
			const layout = `oci:${mkdtempSync(join(suite.folder, "layout-"))}:1`;
			await skopeoCopy(`docker://${ours.host}/${name}:1`, layout, "--preserve-digests").catch(
				async (error: unknown) => {
					// A layout has no room for Docker's form.
					if (!String(error).includes("preserve")) throw error;
					await skopeoCopy(`docker://${ours.host}/${name}:1`, layout);
				},
			);
		});

	function tarFile(): string {
		const folder = mkdtempSync(join(suite.folder, "tree-"));
		mkdirSync(join(folder, "tree"));
		writeFileSync(join(folder, "busybox.tar"), busybox);
		Bun.spawnSync(["tar", "-C", join(folder, "tree"), "-xf", join(folder, "busybox.tar")]);
		writeFileSync(join(folder, "tree/hello"), "made\n");
		const path = join(folder, "tree.tar");
		Bun.spawnSync(["tar", "-C", join(folder, "tree"), "-cf", path, "."]);
		return path;
	}

	async function buildahMade(target: string, format: "oci" | "docker"): Promise<void> {
		const root = join(suite.folder, "buildah");
		const flags = ["--root", `${root}/root`, "--runroot", `${root}/run`, "--storage-driver", "vfs"];
		const buildah = (...args: string[]) => mustRun(["buildah", ...flags, ...args]);
		const container = await buildah("from", "scratch");
		await buildah("add", "-q", container, tarFile(), "/");
		await buildah("config", "--cmd", "/bin/sh", container);
		await buildah("commit", "-q", "--format", format, container, `made-${format}`);
		await buildah("push", "-q", "--tls-verify=false", `made-${format}`, `docker://${target}`);
		await buildah("rm", container);
	}
});

describe("an index", () => {
	const platforms = [
		{ os: "linux", architecture: "amd64" },
		{ os: "linux", architecture: "arm64" },
		{ os: "linux", architecture: "arm", variant: "v6" },
		{ os: "linux", architecture: "arm", variant: "v7" },
	];

	/** With what else an index may hold: an attestation, an artifact, an index. */
	async function makeIndex(name: string, form: Form): Promise<{ index: Stored; images: Stored[] }> {
		const content = new RegistryContent(theirs.url, name);
		const images: Stored[] = [];
		for (const platform of platforms) {
			const which = [platform.architecture, platform.variant ?? ""].join("");
			images.push(await content.image({ form, platform, layers: [{ tar: busybox }, { files: { which } }] }));
		}
		if (form === "docker") return { index: await content.index(images, "1", form), images };
		const empty = await content.blob("{}", "application/vnd.oci.empty.v1+json");
		const artifact = await content.manifest(
			{
				schemaVersion: 2,
				mediaType: TYPES.oci.manifest,
				artifactType: "application/vnd.example.sbom",
				config: empty,
				layers: [empty],
			},
			TYPES.oci.manifest,
		);
		const attestation = { ...artifact, platform: { os: "unknown", architecture: "unknown" } };
		const nested = await content.index(images.slice(0, 1));
		const index = await content.index(
			[attestation, { ...artifact, artifactType: "application/vnd.example.sbom" }, ...images, nested],
			"1",
		);
		return { index, images };
	}

	for (const form of ["oci", "docker"] as const)
		peerTest(`in ${form} form: the platform's image is taken, and the index goes back as it was`, async () => {
			const name = `index/${form}`;
			const { index, images } = await makeIndex(name, form);
			const source = `${theirs.host}/${name}`;
			for (const [platform, want] of [
				[undefined, "amd64"],
				["linux/arm64", "arm64"],
				["linux/arm/v6", "armv6"],
				["linux/arm/v7", "armv7"],
				["linux/arm64/v8", "arm64"],
			] as const) {
				const flags = platform === undefined ? [] : ["--platform", platform];
				expect(digestIn(await suite.must(["pull", ...flags, `${source}:1`]))).toBe(index.digest);
				const id = await suite.must(["create", ...flags, `${source}:1`]);
				expect(await mustRun(["tar", "-xO", "which"], { stdin: await archiveOf(id, "/which") })).toBe(want);
			}
			expect(await suite.refusal(["pull", "--platform", "linux/s390x", `${source}:1`])).toContain(
				"no matching manifest for linux/s390x in the manifest list entries",
			);
			// Where all of it is already, the index itself is pushed; elsewhere the one image, and the client is told so.
			await suite.must(["tag", `${source}:1`, `${source}:again`]);
			expect(digestIn(await suite.must(["push", `${source}:again`]))).toBe(index.digest);
			expect(await remoteDigest(`${source}:again`)).toBe(index.digest);
			await suite.must(["tag", `${source}:1`, `${ours.host}/${name}:1`]);
			const alone = await suite.must(["push", `${ours.host}/${name}:1`]);
			expect(images.map(({ digest }) => digest)).toContain(digestIn(alone) ?? "none");
			// By platform it is always the image, even where the index could go.
			await suite.must(["pull", `${source}:1`]);
			await suite.must(["tag", `${source}:1`, `${source}:one`]);
			const one = await suite.must(["push", "--platform", "linux/amd64", `${source}:one`]);
			expect(digestIn(one)).toBe(images[0]?.digest);
		});

	peerTest("that another tool brought over whole is pulled by its digest", async () => {
		const { index } = await makeIndex("index/whole", "docker");
		await skopeoCopy(
			`docker://${theirs.host}/index/whole:1`,
			`docker://${ours.host}/index/whole:1`,
			"--all",
			"--preserve-digests",
		);
		expect(await remoteDigest(`${ours.host}/index/whole:1`)).toBe(index.digest);
		expect(digestIn(await suite.must(["pull", `${ours.host}/index/whole@${index.digest}`]))).toBe(index.digest);
	});

	async function archiveOf(container: string, path: string): Promise<Uint8Array> {
		const response = await suite.daemon.api("GET", `/containers/${container}/archive?path=${path}`);
		return new Uint8Array(await response.arrayBuffer());
	}
});

peerTest("a layer that lies elsewhere is fetched from there, and stays there when the image is pushed", async () => {
	const layer = { files: { far: "away\n" } };
	const bytes = compress(tarOf({ name: "far", content: "away\n" }), "gzip");
	const requests: string[] = [];
	const elsewhere = Bun.serve({
		hostname: "127.0.0.1",
		port: 0,
		fetch(request) {
			requests.push(`${new URL(request.url).pathname} ${request.headers.get("authorization")}`);
			return new Response(bytes);
		},
	});
	try {
		const url = `http://127.0.0.1:${elsewhere.port}/layers/far`;
		const content = new RegistryContent(ours.url, "foreign/app");
		const image = { form: "docker" as const, layers: [{ tar: busybox }, { ...layer, url }] };
		const { digest } = await content.image(image, "1");
		const name = `${ours.host}/foreign/app`;
		expect(digestIn(await suite.must(["pull", `${name}:1`]))).toBe(digest);
		expect(requests).toEqual(["/layers/far null"]);
		expect(await suite.must(["run", "--rm", `${name}:1`, "cat", "/far"])).toBe("away");
		await suite.must(["tag", `${name}:1`, `${ours.host}/foreign/copy:1`]);
		const pushed = await suite.must(["push", `${ours.host}/foreign/copy:1`]);
		expect(pushed).toContain("Skipped foreign layer");
		expect(digestIn(pushed)).toBe(digest);
		expect((await fetch(`${ours.url}/v2/foreign/copy/blobs/${digestOf(bytes)}`)).status).toBe(404);
	} finally {
		await elsewhere.stop(true);
	}
});
