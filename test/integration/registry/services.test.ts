/** What surrounds the protocol: who may do what, garbage, notifications, the cache of another registry. */
import { afterAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	digestOf,
	errorCode,
	pushBlob,
	pushImage,
	type RegistryProcess,
	startRegistry,
} from "../../support/registry-server.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-services-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
	const path = join(directory, name);
	writeFileSync(path, text);
	return path;
}

const password = (user: string) => ({ headers: { Authorization: `Basic ${btoa(`${user}:${user}-secret`)}` } });
const users = (...names: string[]) =>
	names
		.map((name) => `${name}:${Bun.password.hashSync(`${name}-secret`, { algorithm: "bcrypt", cost: 4 })}\n`)
		.join("");
const ACCESS = `rules:
  - {user: alice, repositories: ["**"], actions: ["*"]}
  - {user: "*", repositories: ["home/\${user}/**"], actions: [pull, push]}
  - {user: anonymous, repositories: ["public/*"], actions: [pull]}
`;

describe("passwords and rights", () => {
	test("everybody does what the access file says and no more", async () => {
		await using registry = await startRegistry([
			"--htpasswd",
			file("users", users("alice", "bob").replace("$2b$", "$2y$")),
			"--access",
			file("access.yaml", ACCESS),
		]);
		const { url } = registry;
		const status = async (path: string, init: RequestInit = {}) => (await fetch(`${url}/v2/${path}`, init)).status;
		const base = await fetch(`${url}/v2/`);
		expect([base.status, base.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="registry"']);
		expect(await status("", password("alice"))).toBe(200);
		expect(await status("", { headers: { Authorization: `Basic ${btoa("alice:wrong")}` } })).toBe(401);
		expect(await status("", { headers: { Authorization: `Basic ${btoa("nobody:nobody-secret")}` } })).toBe(401);
		await pushImage(url, "public/app", "v1", {}, password("alice"));
		await pushImage(url, "home/bob/app", "v1", {}, password("bob"));
		expect(await status("public/app/manifests/v1")).toBe(200);
		expect(await status("home/bob/app/manifests/v1")).toBe(401);
		const denied = await fetch(`${url}/v2/public/app/blobs/uploads/`, { method: "POST", ...password("bob") });
		expect([denied.status, await errorCode(denied)]).toEqual([403, "DENIED"]);
		expect(await status("home/alice/app/tags/list", password("bob"))).toBe(403);
		expect(await status("home/bob/app/manifests/v1", { method: "DELETE", ...password("bob") })).toBe(403);
		expect(await status("home/bob/app/manifests/v1", { method: "DELETE", ...password("alice") })).toBe(202);
		const catalog = await fetch(`${url}/v2/_catalog`, password("bob"));
		expect(await catalog.json()).toEqual({ repositories: ["home/bob/app", "public/app"] });
		// A blob of a repository that bob may not read is no source for him.
		const secret = await pushBlob(url, "private/app", "secret", password("alice"));
		const mount = await fetch(`${url}/v2/home/bob/x/blobs/uploads/?mount=${secret}&from=private/app`, {
			method: "POST",
			...password("bob"),
		});
		expect(mount.status).toBe(202);
		expect(registry.log()).not.toContain("secret");
	});

	test("the built-in token service gives as much of what was asked for as there is", async () => {
		await using registry = await startRegistry([
			"--htpasswd",
			file("users2", users("alice", "bob")),
			"--access",
			file("access2.yaml", ACCESS),
			"--token-endpoint",
			"http://tokens.invalid/token",
		]);
		const { url } = registry;
		const challenge = await fetch(`${url}/v2/home/bob/app/blobs/uploads/`, { method: "POST" });
		expect(challenge.headers.get("www-authenticate")).toBe(
			'Bearer realm="http://tokens.invalid/token",service="registry",scope="repository:home/bob/app:pull,push"',
		);
		const tokenFor = async (scope: string, init: RequestInit = {}) =>
			JSON.parse(await (await fetch(`${url}/token?service=registry&scope=${scope}`, init)).text()).token;
		const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
		const mine = bearer(await tokenFor("repository:home/bob/app:pull,push", password("bob")));
		await pushImage(url, "home/bob/app", "v1", {}, mine);
		expect((await fetch(`${url}/v2/`, mine)).status).toBe(200);
		const others = bearer(await tokenFor("repository:home/alice/app:pull,push", password("bob")));
		expect((await fetch(`${url}/v2/home/alice/app/tags/list`, others)).status).toBe(401);
		const nobody = bearer(await tokenFor("repository:public/app:pull,push"));
		expect((await fetch(`${url}/v2/public/app/blobs/uploads/`, { method: "POST", ...nobody })).status).toBe(401);
		expect((await fetch(`${url}/token`, { headers: { Authorization: `Basic ${btoa("bob:no")}` } })).status).toBe(401);
	});

	test("tokens of another service count when its key signed them for us and now", async () => {
		const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
		const key = file("token.pem", publicKey.export({ type: "spki", format: "pem" }).toString());
		await using registry = await startRegistry([
			"--token-realm",
			"https://auth.invalid/token",
			"--token-service",
			"us",
			"--token-issuer",
			"them",
			"--token-key",
			key,
		]);
		const now = Math.floor(Date.now() / 1000);
		const claims = {
			iss: "them",
			aud: "us",
			sub: "eve",
			exp: now + 300,
			access: [{ type: "repository", name: "a/b", actions: ["pull", "push"] }],
		};
		const token = (change: object, header: object = {}, signer = privateKey) => {
			const data = [
				{ alg: "RS256", ...header },
				{ ...claims, ...change },
			]
				.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
				.join(".");
			return `${data}.${sign("sha256", Buffer.from(data), signer).toString("base64url")}`;
		};
		const status = async (text: string) =>
			(
				await fetch(`${registry.url}/v2/a/b/blobs/uploads/`, {
					method: "POST",
					headers: { Authorization: `Bearer ${text}` },
				})
			).status;
		expect(await status(token({}))).toBe(202);
		const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
		const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${token({}).split(".")[1]}.`;
		const bad = [
			token({ exp: now - 300 }),
			token({ nbf: now + 300 }),
			token({ aud: "others" }),
			token({ iss: "x" }),
			token({ access: [] }),
			token({ exp: undefined }),
			token({}, {}, stranger),
			token({}, { alg: "HS256" }),
			unsigned,
			"nonsense",
		];
		for (const [index, text] of bad.entries()) expect([index, await status(text)]).toEqual([index, 401]);
	});

	test("read-only refuses every change and serves the rest", async () => {
		await using writable = await startRegistry();
		await pushImage(writable.url, "a/b", "v1");
		await writable.end("SIGTERM");
		await using registry = await startRegistry(["--read-only"], writable.root);
		expect((await fetch(`${registry.url}/v2/a/b/manifests/v1`)).status).toBe(200);
		for (const [method, path] of [
			["POST", "blobs/uploads/"],
			["DELETE", "manifests/v1"],
			["PUT", "manifests/v2"],
		] as const)
			expect((await fetch(`${registry.url}/v2/a/b/${path}`, { method })).status).toBe(405);
	});
});

describe("garbage", () => {
	const blobFiles = (registry: RegistryProcess) => {
		const root = join(registry.root, "blobs/sha256");
		return readdirSync(root).flatMap((shard) => readdirSync(join(root, shard)).map((hex) => `sha256:${hex}`));
	};
	const age = (registry: RegistryProcess) => {
		const old = new Date(Date.now() - 86_400_000);
		for (const entry of readdirSync(registry.root, { recursive: true, withFileTypes: true }))
			if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), old, old);
	};
	const collect = async (registry: RegistryProcess) => {
		const before = registry.log().split("garbage collected").length;
		process.kill(registry.pid, "SIGUSR1");
		while (registry.log().split("garbage collected").length === before) await Bun.sleep(20);
	};

	test("is what no manifest needs; what is young stays", async () => {
		await using registry = await startRegistry(["--gc-grace", "1h"]);
		const kept = await pushImage(registry.url, "a/kept", "v1");
		const deleted = await pushImage(registry.url, "a/gone", "v1");
		await fetch(`${registry.url}/v2/a/gone/manifests/${deleted.digest}`, { method: "DELETE" });
		await collect(registry);
		expect(blobFiles(registry)).toContain(deleted.layer);
		age(registry);
		const young = await pushBlob(registry.url, "a/young", "young");
		await collect(registry);
		expect(blobFiles(registry).sort()).toEqual([kept.digest, kept.layer, kept.config, young].sort());
		expect((await fetch(`${registry.url}/v2/a/kept/blobs/${kept.layer}`)).status).toBe(200);
		expect((await fetch(`${registry.url}/v2/a/gone/blobs/${deleted.layer}`)).status).toBe(404);
	});

	test("of untagged manifests is collected when asked for, but not what a tag or a subject leads to", async () => {
		await using registry = await startRegistry(["--gc-grace", "1h", "--gc-untagged"]);
		const first = await pushImage(registry.url, "a/b", "latest");
		const second = await pushImage(registry.url, "a/b", "latest");
		const subject = {
			subject: {
				mediaType: "application/vnd.oci.image.manifest.v1+json",
				digest: second.digest,
				size: second.text.length,
			},
		};
		const signature = await pushImage(registry.url, "a/b", undefined, subject);
		age(registry);
		await collect(registry);
		const status = async (digest: string) => (await fetch(`${registry.url}/v2/a/b/manifests/${digest}`)).status;
		expect([await status(first.digest), await status(second.digest), await status(signature.digest)]).toEqual([
			404, 200, 200,
		]);
	});

	test("collection while pushes go on takes nothing that a push relies on", async () => {
		await using registry = await startRegistry(["--gc-grace", "2s"]);
		const shared = randomBytes(2000);
		let running = true;
		const collecting = (async () => {
			while (running) {
				await collect(registry);
				await Bun.sleep(20);
			}
		})();
		try {
			for (let i = 0; i < 40; i++) {
				await pushBlob(registry.url, "busy/app", shared);
				const { digest, layer } = await pushImage(registry.url, "busy/app", `v${i % 3}`);
				for (const path of [`manifests/${digest}`, `blobs/${layer}`])
					expect((await fetch(`${registry.url}/v2/busy/app/${path}`)).status).toBe(200);
				if (i % 2 === 0) await fetch(`${registry.url}/v2/busy/app/manifests/${digest}`, { method: "DELETE" });
				await Bun.sleep(60);
			}
		} finally {
			running = false;
			await collecting;
		}
		expect(registry.log()).not.toContain("level=error");
	});

	test("gantry registry gc asks the running server, and collects alone when there is none", async () => {
		await using registry = await startRegistry(["--gc-grace", "0"]);
		const digest = await pushBlob(registry.url, "a/b", "unused");
		const command = [
			process.execPath,
			join(import.meta.dir, "../../../src/main.ts"),
			"registry",
			"gc",
			"--root",
			registry.root,
			"--gc-grace",
			"0",
		];
		const asking = Bun.spawn(command, { stderr: "pipe" });
		expect(await asking.stdout.text()).toContain(`process ${registry.pid}`);
		expect(await asking.stderr.text()).toContain("the server goes by its own --gc-grace and --gc-untagged");
		while (!registry.log().includes("garbage collected")) await Bun.sleep(20);
		expect(blobFilesOrNone(registry)).not.toContain(digest);
		await pushBlob(registry.url, "a/b", "unused");
		await registry.end("SIGTERM");
		expect(await Bun.spawn(command).stdout.text()).toStartWith("removed 1 blobs (6 bytes), 1 links");
		const nowhere = join(registry.root, "nowhere");
		const lost = Bun.spawn([...command, "--root", nowhere], { stderr: "pipe" });
		expect(await lost.stderr.text()).toContain(`there is no registry in ${nowhere}`);
		expect([await lost.exited, existsSync(nowhere)]).toEqual([1, false]);
	});

	function blobFilesOrNone(registry: RegistryProcess): string[] {
		try {
			return blobFiles(registry);
		} catch {
			// The last blob took its directories with it.
			return [];
		}
	}
});

test("notifications are sent in order, again until they are taken", async () => {
	const seen: { action: string; target: { repository: string; tag?: string } }[] = [];
	let refusals = 2;
	using receiver = Bun.serve({
		port: 0,
		hostname: "127.0.0.1",
		async fetch(request) {
			if (request.headers.get("x-secret") !== "s3" || refusals-- > 0) return new Response(null, { status: 503 });
			seen.push(...JSON.parse(await request.text()).events);
			return new Response();
		},
	});
	await using registry = await startRegistry(["--webhook", `${receiver.url}hook`, "--webhook-header", "X-Secret: s3"]);
	const { digest } = await pushImage(registry.url, "n/app", "v1");
	await fetch(`${registry.url}/v2/n/app/manifests/${digest}`, { method: "DELETE" });
	while (seen.length < 4) await Bun.sleep(20);
	expect(seen.map(({ action }) => action)).toEqual(["push", "push", "push", "delete"]);
	expect(seen[2]?.target).toMatchObject({
		repository: "n/app",
		tag: "v1",
		digest,
		mediaType: expect.stringContaining("manifest"),
	});
});

describe("the cache of another registry", () => {
	test("fetches once, serves without the other one, and asks again when the time is up", async () => {
		await using origin = await startRegistry(["--htpasswd", file("users3", users("bob"))]);
		const passwordFile = file("password", "bob-secret\n");
		await using cache = await startRegistry([
			"--proxy",
			origin.url,
			"--proxy-user",
			"bob",
			"--proxy-password-file",
			passwordFile,
			"--proxy-ttl",
			"1s",
		]);
		const bytes = randomBytes(3_000_000);
		const big = await pushBlob(origin.url, "lib/app", bytes, password("bob"));
		const first = await pushImage(origin.url, "lib/app", "latest", {}, password("bob"));
		const latest = async () =>
			(await fetch(`${cache.url}/v2/lib/app/manifests/latest`)).headers.get("docker-content-digest");
		expect(await latest()).toBe(first.digest);
		const blobs = await Promise.all(
			Array.from({ length: 6 }, async () =>
				Buffer.from(await (await fetch(`${cache.url}/v2/lib/app/blobs/${big}`)).arrayBuffer()),
			),
		);
		for (const blob of blobs) expect(blob.equals(bytes)).toBe(true);
		expect(origin.log().match(new RegExp(`method=GET path=/v2/lib/app/blobs/${big}`, "g"))).toHaveLength(1);
		expect((await fetch(`${cache.url}/v2/lib/app/blobs/${digestOf("none")}`)).status).toBe(404);
		expect((await fetch(`${cache.url}/v2/lib/none/manifests/latest`)).status).toBe(404);
		expect((await fetch(`${cache.url}/v2/lib/app/blobs/uploads/`, { method: "POST" })).status).toBe(405);
		const second = await pushImage(origin.url, "lib/app", "latest", {}, password("bob"));
		expect(await latest()).toBe(first.digest);
		await Bun.sleep(1100);
		expect(await latest()).toBe(second.digest);
		await origin.end("SIGKILL");
		await Bun.sleep(1100);
		expect(await latest()).toBe(second.digest);
		expect((await fetch(`${cache.url}/v2/lib/app/blobs/${big}`)).status).toBe(200);
		expect((await fetch(`${cache.url}/v2/lib/app/blobs/${digestOf("none")}`)).status).toBe(503);
	});

	test("never gives out a whole blob that is wrong, and keeps nothing of it", async () => {
		const lie = randomBytes(500_000);
		using liar = Bun.serve({
			port: 0,
			hostname: "127.0.0.1",
			fetch: (request) => (request.url.includes("/blobs/") ? new Response(lie) : new Response(null, { status: 404 })),
		});
		await using cache = await startRegistry(["--proxy", liar.url.href]);
		const url = `${cache.url}/v2/a/b/blobs/${digestOf("the truth")}`;
		const outcome = await fetch(url)
			.then((response) => response.arrayBuffer())
			.then(
				(body) => body.byteLength,
				() => -1,
			);
		expect(outcome).toBe(-1);
		const uploads = () =>
			readdirSync(cache.root).includes("uploads") && readdirSync(join(cache.root, "uploads")).length > 0;
		while (uploads()) await Bun.sleep(20);
		expect(readdirSync(cache.root)).not.toContain("blobs");
	});
});
