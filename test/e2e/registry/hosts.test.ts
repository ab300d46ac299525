/** How a registry is reached: certificates, settings of its own, mirrors, proxies, what "insecure" means. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { TestAuthority } from "../../support/certificates.ts";
import { waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { TestProxy } from "../../support/proxy.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

/** Loopback addresses are always "insecure": certificates count elsewhere only. */
const ADDRESS = Object.values(networkInterfaces())
	.flatMap((addresses) => addresses ?? [])
	.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
if (ADDRESS === undefined) console.log("skipped: certificates, because this machine has no address but loopback");
const withAddress = test.skipIf(ADDRESS === undefined);

const folder = mkdtempSync(join(tmpdir(), "gantry-hosts-"));
const hosts = join(folder, "certs.d");
let daemon: TestDaemon;
let proxy: TestProxy;
let fake: FakeRegistry;
let authority: TestAuthority;
/** Where the proxy leads. */
const routes = new Map<string, string>();

beforeAll(async () => {
	mkdirSync(hosts);
	fake = await FakeRegistry.open();
	fake.addImage("1", [{ hello: "world" }]);
	fake.addImage("latest", [{ hello: "world" }]);
	authority = await TestAuthority.make(folder);
	proxy = await TestProxy.open((wanted) => routes.get(wanted) ?? fake.host);
	daemon = await TestDaemon.start({
		args: [`--registry-config-directory=${hosts}`],
		config: {
			"insecure-registries": ["plain.test:5000", "10.255.0.0/16"],
			"http-proxy": `http://joe:s3cret@${proxy.host}`,
			"https-proxy": `http://joe:s3cret@${proxy.host}`,
			"no-proxy": ["127.0.0.0/8", ADDRESS ?? "", ".direct.test"].join(","),
			"max-download-attempts": 1,
		},
	});
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	await proxy[Symbol.asyncDispose]();
	await fake[Symbol.asyncDispose]();
	rmSync(folder, { recursive: true, force: true });
});

/** A registry's own directory. */
function settingsOf(host: string, files: Readonly<Record<string, string>>): string {
	const directory = join(hosts, host);
	rmSync(directory, { recursive: true, force: true });
	mkdirSync(directory);
	for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
	return directory;
}

const pull = (image: string) => daemon.mustDocker(["pull", "-q", image]);
/** Why it cannot be pulled. */
const refusal = async (image: string) => {
	const { code, stderr } = await daemon.docker(["pull", "-q", image]);
	expect(code).toBe(1);
	return stderr;
};
const forget = async () => {
	await daemon.docker(["rmi", "-f", ...(await daemon.mustDocker(["images", "-q"])).split("\n")]);
	fake.requests.length = 0;
	fake.authorizations.length = 0;
	proxy.requests.length = 0;
};

describe("certificates", () => {
	withAddress("an own authority counts from the moment its file is there; a client certificate is shown", async () => {
		const { cert, key } = await authority.issue("server", `IP:${ADDRESS}`);
		const client = await authority.issue("client");
		const flags = ["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", authority.cert, "--addr", `${ADDRESS}:0`];
		await using registry: RegistryProcess = await startRegistry(flags);
		const image = `${registry.host}/secure/app:1`;
		await daemon.loadBusybox();
		await daemon.mustDocker(["tag", "busybox", image]);
		const push = (client: "docker" | "gantry") => daemon[client](["push", image]);
		expect((await push("docker")).stderr).toContain("x509");
		const directory = settingsOf(registry.host, {});
		copyFileSync(authority.cert, join(directory, "ca.crt"));
		expect((await push("gantry")).code).toBe(1);
		copyFileSync(client.cert, join(directory, "client.cert"));
		expect((await push("docker")).stderr).toContain("missing key client.key for client certificate client.cert");
		copyFileSync(client.key, join(directory, "client.key"));
		for (const name of ["docker", "gantry"] as const) expect(await push(name)).toMatchObject({ code: 0 });
		await daemon.mustDocker(["rmi", image]);
		expect(await pull(image)).toBe(image);
	});

	withAddress(
		"a registry without TLS, or with a stranger's certificate, is refused unless it is insecure",
		async () => {
			const stranger = await TestAuthority.make(folder, "stranger");
			const { cert, key } = await stranger.issue("strange", `IP:${ADDRESS}`);
			await using plain = await startRegistry(["--addr", `${ADDRESS}:0`]);
			await using strange = await startRegistry(["--tls-cert", cert, "--tls-key", key, "--addr", `${ADDRESS}:0`]);
			expect(await refusal(`${plain.host}/a:1`)).toContain("http: server gave HTTP response to HTTPS client");
			expect(await refusal(`${strange.host}/a:1`)).toContain("tls: failed to verify certificate: x509");
			const network = `${ADDRESS?.split(".").slice(0, 3).join(".")}.0/24`;
			for (const insecure of [[plain.host, strange.host], [network]]) {
				await using other = await TestDaemon.start({ config: { "insecure-registries": insecure } });
				for (const { host } of [plain, strange])
					expect((await other.docker(["pull", `${host}/a:1`])).stderr).toContain("manifest unknown");
			}
		},
	);

	withAddress("a reload takes over what is insecure", async () => {
		await using plain = await startRegistry(["--addr", `${ADDRESS}:0`]);
		await using other = await TestDaemon.start();
		const answer = async () => (await other.docker(["pull", `${plain.host}/a:1`])).stderr;
		expect(await answer()).toContain("http: server gave HTTP response to HTTPS client");
		writeFileSync(
			join(other.directory, "daemon.json"),
			JSON.stringify({ "insecure-registries": [ADDRESS], "registry-mirrors": [] }),
		);
		process.kill(other.pid, "SIGHUP");
		await waitFor("the reload", async () => (await answer()).includes("manifest unknown"));
		const told = await other.mustDocker(["info", "--format", "{{json .RegistryConfig.IndexConfigs}}"]);
		expect(Object.keys(JSON.parse(told)).sort()).toEqual([ADDRESS ?? "", "docker.io"]);
	});
});

describe("hosts.toml", () => {
	test("mirrors stand for any registry; what they lack comes from the registry itself", async () => {
		await forget();
		await using mirror = await FakeRegistry.open();
		settingsOf("registry.test", {
			"hosts.toml": [
				`server = "http://${fake.host}"`,
				`[host."http://${mirror.host}"]`,
				'capabilities = ["pull", "resolve"]',
				'[host."http://127.0.0.1:1"]',
			].join("\n"),
		});
		expect(await pull("registry.test/app:1")).toBe("registry.test/app:1");
		expect(mirror.requests[0]).toBe("GET /v2/app/manifests/1?ns=registry.test");
		expect(fake.requests[0]).toBe("GET /v2/app/manifests/1");
		await forget();
		for (const [digest, bytes] of fake.blobs) mirror.blobs.set(digest, bytes);
		for (const [name, manifest] of fake.manifests) mirror.manifests.set(name, manifest);
		await pull("registry.test/app:1");
		expect(fake.requests).toEqual([]);
		// A push goes past mirrors, unless one is said to take it.
		mirror.requests.length = 0;
		await daemon.mustDocker(["push", "registry.test/app:1"]);
		expect([fake.requests.at(-1), mirror.requests as unknown]).toEqual(["PUT /v2/app/manifests/1", []]);
	});

	test("a push hands layers on from the next host when a mirror lies, and from here when all do", async () => {
		await forget();
		await using mirror = await FakeRegistry.open();
		await using target = await startRegistry();
		const { layers } = fake.addImage("handed", [{ some: "layer" }, { another: "one" }]);
		for (const [digest, bytes] of fake.blobs) mirror.blobs.set(digest, bytes);
		for (const [name, manifest] of fake.manifests) mirror.manifests.set(name, manifest);
		const hostsFile = `server = "http://${fake.host}"\n[host."http://${mirror.host}"]`;
		settingsOf("lying.test", { "hosts.toml": hostsFile });
		await pull("lying.test/app:handed");
		const pushed = async (client: "docker" | "gantry") => {
			const image = `${target.host}/${client}:1`;
			await daemon.mustDocker(["tag", "lying.test/app:handed", image]);
			const said = await daemon[client === "docker" ? "mustDocker" : "mustGantry"](["push", image]);
			return /digest: (sha256:\S+)/.exec(said)?.[1];
		};
		const lies = (registry: FakeRegistry) => {
			registry.misbehave = (request, response) => {
				const digest = layers.find((layer) => request.url?.includes(layer));
				if (digest === undefined) return false;
				response.writeHead(200).end(Buffer.alloc(fake.blobs.get(digest)?.length ?? 0, "lie"));
				return true;
			};
		};
		lies(mirror);
		fake.requests.length = 0;
		const given = [...fake.manifests].find(([name, { bytes }]) => bytes.includes(layers[0] ?? "") && name !== "handed");
		expect(await pushed("docker")).toBe(given?.[0]);
		expect(fake.requests.toSorted()).toEqual(layers.map((layer) => `GET /v2/app/blobs/${layer}`).toSorted());
		expect(daemon.log).toContain("a host gave wrong bytes");

		// Nobody has them any more, the repository that was pushed to included.
		await target.end("SIGTERM");
		rmSync(join(target.root, "blobs"), { recursive: true });
		rmSync(join(target.root, "repositories"), { recursive: true });
		await using again = await startRegistry(["--addr", target.host], target.root);
		lies(fake);
		const digest = await pushed("gantry");
		fake.misbehave = () => false;
		expect(digest).not.toBe(given?.[0]);
		expect(readdirSync(join(again.root, "uploads"))).toEqual([]);
		const id = await daemon.mustDocker(["images", "-q", "--no-trunc", "lying.test/app:handed"]);
		await forget();
		await pull(`${target.host}/gantry:1`);
		expect(await daemon.mustDocker(["images", "-q", "--no-trunc"])).toBe(id);
	});

	test("a host without `resolve` is asked for digests only, one without `pull` never", async () => {
		await forget();
		await using mirror = await FakeRegistry.open();
		for (const [digest, bytes] of fake.blobs) mirror.blobs.set(digest, bytes);
		settingsOf("digests.test", {
			"hosts.toml": `server = "http://${fake.host}"\n[host."http://${mirror.host}"]\ncapabilities = ["pull"]`,
		});
		await pull("digests.test/app:1");
		expect(mirror.requests.every((line) => line.startsWith("GET /v2/app/blobs/"))).toBe(true);
		expect(fake.requests).toEqual(["GET /v2/app/manifests/1"]);
	});

	test("paths, headers and unchecked certificates of a host; `_default` for all others", async () => {
		await forget();
		const { cert, key } = await authority.issue("mirror", "DNS:elsewhere.test");
		await using tls = await startRegistry(["--tls-cert", cert, "--tls-key", key]);
		const place = tls.host.replace("127.0.0.1", "localhost");
		settingsOf("toml.test", {
			"hosts.toml": [
				`server = "http://127.0.0.1:1"`,
				`[host."https://${place}/v2/mirror/of"]`,
				"skip_verify = true",
				"override_path = true",
			].join("\n"),
		});
		expect(await refusal("toml.test/app:1")).toContain("connection refused");
		await waitFor("the request", async () => tls.log().includes("path=/v2/mirror/of/app/manifests/1"));
		settingsOf("_default", {
			"hosts.toml": `[host."http://${fake.host}"]\n[host."http://${fake.host}".header]\nX-Key = ["one", "two"]\n`,
		});
		let header: string | string[] | undefined;
		fake.misbehave = (request) => {
			header = request.headers["x-key"];
			return false;
		};
		await pull("whatever.test/deep/app:1");
		fake.misbehave = () => false;
		rmSync(join(hosts, "_default"), { recursive: true });
		expect([fake.requests[0], header as string]).toEqual(["GET /v2/deep/app/manifests/1?ns=whatever.test", "one, two"]);
	});

	withAddress("authority and client certificate of a host come from its table", async () => {
		const { cert, key } = await authority.issue("toml", `IP:${ADDRESS}`);
		const client = await authority.issue("toml-client");
		const flags = ["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", authority.cert, "--addr", `${ADDRESS}:0`];
		await using registry = await startRegistry(flags);
		const directory = settingsOf("certified.test", {
			"hosts.toml": [
				'server = "http://127.0.0.1:1"',
				`[host."https://${registry.host}"]`,
				'ca = ["own-ca.crt"]',
				`client = [["own-client.pem", "${client.key}"]]`,
			].join("\n"),
		});
		copyFileSync(authority.cert, join(directory, "own-ca.crt"));
		copyFileSync(client.cert, join(directory, "own-client.pem"));
		await daemon.loadBusybox();
		await daemon.mustDocker(["tag", "busybox", "certified.test/app:1"]);
		// The server may be pushed to, whatever it is; the mirror is what answers a pull.
		expect((await daemon.docker(["push", "certified.test/app:1"])).stderr).toContain("connection refused");
		expect(await refusal("certified.test/app:1")).toContain("connection refused");
		await waitFor("the request", async () => registry.log().includes("path=/v2/app/manifests/1 status=404"));
	});

	test("a file that makes no sense is an error that names it, not a registry without mirrors", async () => {
		for (const [text, why] of [
			["server = ", "failed to parse"],
			["host = 5", "host is no table"],
			['[host."http://a"]\ncapabilities = ["fly"]', "capabilities may be pull, resolve and push"],
			['[host."ftp://a"]', "is no address of a host"],
			['[host."https://a"]\nca = "gone.crt"', "failed to read certificate"],
		] as const) {
			settingsOf("broken.test", { "hosts.toml": text });
			expect(await refusal("broken.test/app:1")).toContain(why);
		}
	});
});

describe("proxies", () => {
	test("take what goes to other hosts, with their own credentials, plain and through a tunnel", async () => {
		await forget();
		expect(await pull("plain.test:5000/app:1")).toBe("plain.test:5000/app:1");
		expect(proxy.requests).toContain("GET http://plain.test:5000/v2/app/manifests/1");
		expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${btoa("joe:s3cret")}`]));
		// The registry never sees the proxy's credentials.
		expect(new Set(fake.authorizations)).toEqual(new Set([undefined]));

		const { cert, key } = await authority.issue("tunnelled", "DNS:tunnel.test");
		await using tls = await startRegistry(["--tls-cert", cert, "--tls-key", key]);
		routes.set("tunnel.test:443", tls.host);
		copyFileSync(authority.cert, join(settingsOf("tunnel.test", {}), "ca.crt"));
		expect(await refusal("tunnel.test/app:1")).toContain("manifest unknown");
		expect(proxy.requests).toContain("CONNECT tunnel.test:443");
		// The name is checked at the far end of the tunnel.
		routes.set("wrong.test:443", tls.host);
		copyFileSync(authority.cert, join(settingsOf("wrong.test", {}), "ca.crt"));
		expect(await refusal("wrong.test/app:1")).toContain("x509");
	});

	test("are left out for loopback addresses and exceptions; are told without their passwords", async () => {
		await forget();
		await pull(`${fake.host}/app:1`);
		expect(await refusal("registry.direct.test/app:1")).toContain("registry.direct.test");
		expect(proxy.requests).toEqual([]);
		const info = await daemon.mustDocker(["info", "--format", "{{.HTTPProxy}} {{.HTTPSProxy}} {{.NoProxy}}"]);
		expect(info).toStartWith(`http://xxxxx:xxxxx@${proxy.host} http://xxxxx:xxxxx@${proxy.host} 127.0.0.0/8,`);
		expect(daemon.log).not.toContain("s3cret");
	});

	test("of the environment count where the configuration has none", async () => {
		proxy.requests.length = 0;
		await using other = await TestDaemon.start({
			env: { HTTP_PROXY: `http://${proxy.host}`, https_proxy: proxy.host, NO_PROXY: "quiet.test" },
			config: { "insecure-registries": ["env.test"] },
		});
		await other.mustDocker(["pull", "-q", "env.test/app:1"]);
		expect(proxy.requests.some((line) => line === "GET http://env.test/v2/app/manifests/1")).toBe(true);
		const { stderr } = await other.docker(["pull", "-q", "quiet.test/app:1"]);
		expect(stderr).toContain("quiet.test");
		expect(proxy.requests.some((line) => line.includes("quiet"))).toBe(false);
	});
});

test("registry-mirrors stand for the default registry, and one that fails is passed over", async () => {
	await using broken = await FakeRegistry.open();
	broken.misbehave = (_request, response) => {
		response.writeHead(500).end("no");
		return true;
	};
	await using liar = await FakeRegistry.open();
	liar.addImage("latest", [{ hello: "liar" }]);
	for (const [digest, bytes] of liar.blobs) liar.blobs.set(digest, Buffer.alloc(bytes.length, "lie"));
	const config = {
		"registry-mirrors": [`http://${broken.host}`, `http://${fake.host}/`],
		"max-download-attempts": 1,
	};
	await using other = await TestDaemon.start({ config });
	expect(await other.mustDocker(["pull", "-q", "web"])).toBe("docker.io/library/web:latest");
	expect(broken.requests[0]).toBe("GET /v2/library/web/manifests/latest");
	const mirrors: string = await other.mustDocker(["info", "--format", "{{json .RegistryConfig.Mirrors}}"]);
	expect(JSON.parse(mirrors)).toEqual([`http://${broken.host}/`, `http://${fake.host}/`]);
	// What a mirror gives for a digest is checked as anybody's answer is.
	await using third = await TestDaemon.start({ config: { "registry-mirrors": [`http://${liar.host}`] } });
	expect((await third.docker(["pull", "web"])).stderr).toContain("verification failed");
	expect(await third.mustDocker(["images", "-q"])).toBe("");
});
