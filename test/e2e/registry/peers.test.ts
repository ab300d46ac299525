/**
 * Other people's clients against our registry, and our storage against another registry's: skopeo, podman, buildah and
 * docker-registry of the distribution. They are installed when they are missing and can be.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, installPeers, startDockerRegistry } from "../../support/peers.ts";
import { digestOf, type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

const missing = installPeers();
const directory = mkdtempSync(join(tmpdir(), "gantry-registry-peers-"));
let registry: RegistryProcess;

beforeAll(async () => {
	makeImage(join(directory, "image"));
	registry = await startRegistry();
});
afterAll(async () => {
	await registry[Symbol.asyncDispose]();
	rmSync(directory, { recursive: true, force: true });
});

if (missing !== undefined) console.log(`skipped: ${missing}`);
const peerTest = test.skipIf(missing !== undefined);

/** An OCI layout of two layers, one of them large enough for several chunks. */
function makeImage(path: string): void {
	const root = mkdtempSync(join(directory, "layer-"));
	writeFileSync(join(root, "hello"), "hello\n");
	writeFileSync(join(root, "big"), Buffer.alloc(20 << 20, "gantry"));
	const layers = ["hello", "big"].map((name) => Bun.spawnSync(["tar", "-C", root, "-cf", "-", name]).stdout);
	const config = JSON.stringify({
		architecture: "amd64",
		os: "linux",
		config: { Cmd: ["/hello"] },
		rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
	});
	const blobs = join(path, "blobs/sha256");
	mkdirSync(blobs, { recursive: true });
	const store = (bytes: Uint8Array | string, mediaType: string) => {
		const digest = digestOf(bytes);
		writeFileSync(join(blobs, digest.slice(7)), bytes);
		return { mediaType, digest, size: bytes.length };
	};
	const type = (name: string) => `application/vnd.oci.image.${name}`;
	const manifest = JSON.stringify({
		schemaVersion: 2,
		mediaType: type("manifest.v1+json"),
		config: store(config, type("config.v1+json")),
		layers: layers.map((layer) => store(layer, type("layer.v1.tar"))),
	});
	const entry = {
		...store(manifest, type("manifest.v1+json")),
		annotations: { "org.opencontainers.image.ref.name": "latest" },
	};
	writeFileSync(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
	writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

async function run(argv: readonly string[]): Promise<string> {
	const child = Bun.spawn([...argv], {
		stdin: "ignore",
		stdout: "pipe",
		stderr: "pipe",
		env: { ...process.env, STORAGE_DRIVER: "vfs" },
	});
	const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	if (code !== 0) throw new Error(`${argv.join(" ")}: exit ${code}\n${errors}`);
	return output.trim();
}

function skopeo(from: string, to: string, ...flags: string[]): Promise<string> {
	return run([
		"skopeo",
		"--insecure-policy",
		"copy",
		"-q",
		"--src-tls-verify=false",
		"--dest-tls-verify=false",
		...flags,
		from,
		to,
	]);
}

const remoteDigest = async (host: string, name: string, tag: string) =>
	digestOf(await run(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${host}/${name}:${tag}`]));
const layoutDigest = (path: string) => {
	const index: { manifests: { digest: string }[] } = JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
	return index.manifests[0]?.digest ?? "";
};
const local = () => `oci:${join(directory, "image")}:latest`;

describe("skopeo", () => {
	peerTest("pushes and pulls; digests stay", async () => {
		await skopeo(local(), `docker://${registry.host}/skopeo/app:v1`, "--preserve-digests");
		expect(await remoteDigest(registry.host, "skopeo/app", "v1")).toBe(layoutDigest(join(directory, "image")));
		const back = join(directory, "back");
		await skopeo(`docker://${registry.host}/skopeo/app:v1`, `oci:${back}:latest`, "--preserve-digests");
		expect(layoutDigest(back)).toBe(layoutDigest(join(directory, "image")));
	});

	peerTest("pushes Docker's schema 2, copies between repositories, lists and deletes tags", async () => {
		await skopeo(local(), `docker://${registry.host}/skopeo/docker:v2`, "--format", "v2s2");
		await skopeo(`docker://${registry.host}/skopeo/docker:v2`, `docker://${registry.host}/skopeo/copy:v2`);
		expect(await remoteDigest(registry.host, "skopeo/copy", "v2")).toBe(
			await remoteDigest(registry.host, "skopeo/docker", "v2"),
		);
		const tags = JSON.parse(
			await run(["skopeo", "list-tags", "--tls-verify=false", `docker://${registry.host}/skopeo/copy`]),
		);
		expect(tags.Tags).toEqual(["v2"]);
		await run(["skopeo", "delete", "--tls-verify=false", `docker://${registry.host}/skopeo/copy:v2`]);
		expect((await fetch(`${registry.url}/v2/skopeo/copy/manifests/v2`)).status).toBe(404);
	});

	peerTest("logs in with a password, and with tokens of the built-in service", async () => {
		const users = join(directory, "users");
		writeFileSync(users, `alice:${Bun.password.hashSync("wonder", { algorithm: "bcrypt", cost: 4 })}\n`);
		await using basic = await startRegistry(["--htpasswd", users]);
		await expect(skopeo(local(), `docker://${basic.host}/a/b:1`)).rejects.toThrow(/auth|denied/i);
		await skopeo(local(), `docker://${basic.host}/a/b:1`, "--dest-creds", "alice:wonder");
		const port = await freePort();
		await using tokens = await startRegistry([
			"--htpasswd",
			users,
			"--token-endpoint",
			`http://127.0.0.1:${port}/token`,
			"--addr",
			`127.0.0.1:${port}`,
		]);
		await skopeo(local(), `docker://${tokens.host}/a/b:1`, "--dest-creds", "alice:wonder");
		await skopeo(
			`docker://${tokens.host}/a/b:1`,
			`oci:${join(directory, "tokens")}:latest`,
			"--src-creds",
			"alice:wonder",
		);
		await expect(skopeo(`docker://${tokens.host}/a/b:1`, `oci:${join(directory, "no")}:latest`)).rejects.toThrow();
	});

	peerTest("pulls over HTTPS, with a client certificate where one is asked for", async () => {
		const { cert, key } = await certificates();
		await using registry = await startRegistry(["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", cert]);
		const certs = join(directory, "certs");
		mkdirSync(certs);
		for (const [name, from] of [
			["ca.crt", cert],
			["client.cert", cert],
			["client.key", key],
		] as const)
			writeFileSync(join(certs, name), readFileSync(from));
		const copy = ["skopeo", "--insecure-policy", "copy", "-q", local(), `docker://${registry.host}/a/b:1`];
		await run([...copy, "--dest-cert-dir", certs]);
		await expect(run([...copy, "--dest-tls-verify=false"])).rejects.toThrow();
	});
});

describe("podman and buildah", () => {
	const storage = (tool: string, name: string) => [
		tool,
		"--root",
		join(directory, name, "root"),
		"--runroot",
		join(directory, name, "run"),
		"--storage-driver",
		"vfs",
	];

	peerTest("podman pulls, tags and pushes, and another one pulls that", async () => {
		await skopeo(local(), `docker://${registry.host}/podman/app:v1`, "--preserve-digests");
		const podman = storage("podman", "podman");
		await run([...podman, "pull", "-q", "--tls-verify=false", `${registry.host}/podman/app:v1`]);
		await run([...podman, "tag", `${registry.host}/podman/app:v1`, `${registry.host}/podman/again:v2`]);
		await run([...podman, "push", "-q", "--tls-verify=false", `${registry.host}/podman/again:v2`]);
		const other = storage("podman", "other");
		await run([...other, "pull", "-q", "--tls-verify=false", `${registry.host}/podman/again:v2`]);
		const id = (tool: string[], name: string) =>
			run([...tool, "image", "inspect", "--format", "{{.Id}}", `${registry.host}/${name}`]);
		expect(await id(other, "podman/again:v2")).toBe(await id(podman, "podman/app:v1"));
		expect(
			await run([...podman, "search", "--tls-verify=false", "--format", "{{.Name}}", `${registry.host}/podman`]),
		).toContain("podman/again");
	});

	peerTest("buildah makes an image and a manifest list and pushes both", async () => {
		const buildah = storage("buildah", "buildah");
		const container = await run([...buildah, "from", "scratch"]);
		await run([...buildah, "config", "--cmd", "/x", container]);
		await run([...buildah, "commit", "-q", container, "made"]);
		await run([...buildah, "push", "-q", "--tls-verify=false", "made", `docker://${registry.host}/buildah/made:v1`]);
		await run([...buildah, "manifest", "create", "list"]);
		await run([
			...buildah,
			"manifest",
			"add",
			"--tls-verify=false",
			"list",
			`docker://${registry.host}/buildah/made:v1`,
		]);
		await run([
			...buildah,
			"manifest",
			"push",
			"--all",
			"--tls-verify=false",
			"list",
			`docker://${registry.host}/buildah/list:v1`,
		]);
		const list = await fetch(`${registry.url}/v2/buildah/list/manifests/v1`);
		expect(list.headers.get("content-type")).toMatch(/index|manifest\.list/);
		await run([...buildah, "pull", "-q", "--tls-verify=false", `docker://${registry.host}/buildah/list:v1`]);
	});
});

describe("docker-registry", () => {
	peerTest("images go back and forth between it and ours, with the same digests; ours is its cache too", async () => {
		await using theirs = await startDockerRegistry();
		const { host } = theirs;
		await skopeo(local(), `docker://${host}/x/app:v1`, "--preserve-digests");
		await skopeo(`docker://${host}/x/app:v1`, `docker://${registry.host}/x/app:v1`, "--preserve-digests");
		await skopeo(`docker://${registry.host}/x/app:v1`, `docker://${host}/x/back:v1`, "--preserve-digests");
		const digest = layoutDigest(join(directory, "image"));
		expect(await remoteDigest(registry.host, "x/app", "v1")).toBe(digest);
		expect(await remoteDigest(host, "x/back", "v1")).toBe(digest);
		await using cache = await startRegistry(["--proxy", `http://${host}`]);
		await skopeo(`docker://${cache.host}/x/app:v1`, `oci:${join(directory, "cached")}:latest`, "--preserve-digests");
		expect(layoutDigest(join(directory, "cached"))).toBe(digest);
	});
});

/** A certificate that is its own authority, for servers and clients at 127.0.0.1. */
async function certificates(): Promise<{ readonly cert: string; readonly key: string }> {
	const [cert, key] = [join(directory, "tls.crt"), join(directory, "tls.key")];
	const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
	await run([
		"openssl",
		"req",
		"-x509",
		"-newkey",
		"rsa:2048",
		"-nodes",
		"-days",
		"2",
		"-keyout",
		key,
		"-out",
		cert,
		...names,
	]);
	return { cert, key };
}
