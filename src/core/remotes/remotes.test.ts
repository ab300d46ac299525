import { describe, expect, test } from "bun:test";
import { parseChallenges, parseToken } from "./challenge.ts";
import { isInsecure, mirrorEndpoints, NO_CERTIFICATES, originEndpoint, parseMirror } from "./endpoint.ts";
import { hostsFileEndpoints } from "./hosts-file.ts";
import { choosePlatform, parseManifest } from "./manifest.ts";
import { credentialsOf, parseRegistryAuth } from "./registry-auth.ts";
import { RemoteError } from "./remote-error.ts";
import { parseRetryAfter, retryDelayMs } from "./retry.ts";

describe("parseChallenges()", () => {
	const cases: readonly [string, unknown][] = [
		["", []],
		['Basic realm="x"', [{ scheme: "basic", parameters: { realm: "x" } }]],
		[
			'Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"',
			[{ scheme: "bearer", parameters: { realm: "https://a/t", service: "s", scope: "repository:a/b:pull,push" } }],
		],
		[
			'Negotiate, Basic realm="a, \\"b\\"" , Bearer realm=t',
			[
				{ scheme: "negotiate", parameters: {} },
				{ scheme: "basic", parameters: { realm: 'a, "b"' } },
				{ scheme: "bearer", parameters: { realm: "t" } },
			],
		],
		['Basic realm="unfinished', [{ scheme: "basic", parameters: {} }]],
	];
	for (const [header, want] of cases)
		test(`reads ${header}`, () => expect(parseChallenges(header) as unknown).toEqual(want));
});

test("parseToken() takes either name, lives a minute at least, and refuses what is no header's value", () => {
	expect(parseToken('{"access_token":"a","expires_in":5}')).toMatchObject({ value: "a", lifetimeMs: 60_000 });
	expect(parseToken('{"token":"t","access_token":"a","expires_in":300}')).toMatchObject({
		value: "t",
		lifetimeMs: 300_000,
	});
	expect([parseToken("{}"), parseToken("x"), parseToken('{"token":"a\\r\\nb"}')]).toEqual([
		undefined,
		undefined,
		undefined,
	]);
});

test("retryDelayMs() gives up on what is final, backs off, and obeys the registry", () => {
	const error = (fields: object) => new RemoteError("x", { status: 503, isTransient: true, ...fields });
	const policy = { attempts: 5, random: 0.5 };
	expect([1, 2, 3, 5].map((failures) => retryDelayMs(error({}), failures, policy))).toEqual([
		500,
		1000,
		2000,
		undefined,
	]);
	expect(retryDelayMs(error({ isTransient: false }), 1, policy)).toBeUndefined();
	expect(retryDelayMs(error({ retryAfterMs: 7000 }), 1, policy)).toBe(7000);
	expect(retryDelayMs(error({ retryAfterMs: 3_600_000 }), 1, policy)).toBeUndefined();
	expect(retryDelayMs(error({ isUnreachable: true }), 1, policy)).toBeUndefined();
	expect(retryDelayMs(error({ isUnreachable: true }), 1, { ...policy, wasThere: true })).toBe(500);
});

test("parseRetryAfter() reads seconds and dates", () => {
	const now = Date.parse("2026-01-01T00:00:00Z");
	expect(parseRetryAfter("5", now)).toBe(5000);
	expect(parseRetryAfter("Thu, 01 Jan 2026 00:00:09 GMT", now)).toBe(9000);
	expect([parseRetryAfter(null, now), parseRetryAfter("soon", now)]).toEqual([undefined, undefined]);
});

test("isInsecure() knows loopback, hosts with and without ports, and networks", () => {
	const insecure = ["registry.local", "other.local:5000", "10.1.0.0/16", "fd00::/8", "no/network"];
	const yes = [
		"localhost:1",
		"127.9.9.9",
		"[::1]:5000",
		"registry.local:77",
		"other.local:5000",
		"10.1.2.3:5000",
		"[fd12::7]:5000",
	];
	const no = ["other.local:5001", "10.2.0.1", "registry.localx", "example.org", "[fe80::1]:5000", "127.evil.example"];
	expect(yes.filter((host) => !isInsecure(host, insecure))).toEqual([]);
	expect(no.filter((host) => isInsecure(host, insecure))).toEqual([]);
});

test("parseMirror() refuses what is no origin", () => {
	for (const text of ["x", "ftp://a", "https://a/?q", "https://u:p@a"])
		expect(() => parseMirror(text)).toThrow("invalid mirror");
});

test("registry-mirrors come before the default registry, for it alone", () => {
	const settings = { mirrors: ["http://127.0.0.1:5000/sub/"], insecure: [] };
	expect(mirrorEndpoints("docker.io", settings)).toMatchObject([
		{ origin: "http://127.0.0.1:5000", prefix: "/sub/v2", canPush: false },
	]);
	expect(mirrorEndpoints("example.org", settings)).toEqual([]);
	expect(originEndpoint("docker.io", settings, NO_CERTIFICATES).origin).toBe("https://registry-1.docker.io");
});

test("hosts.toml puts its hosts before the server, with what they may be asked", () => {
	const settings = { mirrors: [], insecure: [] };
	const origin = originEndpoint("example.org", settings, NO_CERTIFICATES);
	const context = { domain: "example.org", origin, settings, resolve: (file: string) => `/d/${file}` };
	const table = {
		server: "https://example.org",
		host: { "http://mirror:5000": { capabilities: ["pull"], ca: "ca.crt" }, "https://m2/x": { override_path: true } },
	};
	expect(hostsFileEndpoints(table, context)).toMatchObject([
		{ origin: "http://mirror:5000", prefix: "/v2", canResolve: false, certificates: { authorities: ["/d/ca.crt"] } },
		{ origin: "https://m2", prefix: "/x", namespace: "example.org", isOrigin: false, canPush: false },
		{ origin: "https://example.org", isOrigin: true, canPush: true },
	]);
	const pushed = { host: { "http://mirror:5000": { capabilities: ["push"] } } };
	expect(hostsFileEndpoints(pushed, context)).toMatchObject([{ canPush: true, canPull: false }, { canPush: true }]);
	expect(() => hostsFileEndpoints({ host: 5 }, context)).toThrow("invalid hosts.toml");
});

describe("parseManifest()", () => {
	const descriptor = { mediaType: "x", digest: `sha256:${"a".repeat(64)}`, size: 1 };
	const type = "application/vnd.oci.image.manifest.v1+json";
	const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
	const bad: readonly [string, unknown][] = [
		["no object", []],
		["schema 1", { schemaVersion: 1 }],
		["both kinds at once", { schemaVersion: 2, config: descriptor, layers: [], manifests: [] }],
		["a negative size", { schemaVersion: 2, config: { ...descriptor, size: -1 }, layers: [] }],
		["a digest that is a path", { schemaVersion: 2, config: { ...descriptor, digest: "sha256:../../x" }, layers: [] }],
		["layers that are no list", { schemaVersion: 2, config: descriptor, layers: {} }],
		[
			"an index said to be an image",
			{ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] },
		],
	];
	for (const [name, value] of bad)
		test(`refuses ${name}`, () => expect(() => parseManifest(bytes(value), type)).toThrow());
	test("takes an image", () =>
		expect(parseManifest(bytes({ schemaVersion: 2, config: descriptor, layers: [] }), type).kind).toBe("image"));
});

test("choosePlatform() prefers the exact variant and passes over attestations", () => {
	const entry = (architecture: string, variant?: string) => ({
		mediaType: "m",
		digest: `sha256:${(variant ?? architecture).padEnd(64, "0").replace(/[^0-9a-f]/g, "1")}` as never,
		size: 1,
		platform: {
			os: architecture === "unknown" ? "unknown" : "linux",
			architecture,
			...(variant === undefined ? {} : { variant }),
		},
	});
	const index = {
		schemaVersion: 2 as const,
		manifests: [entry("unknown"), entry("arm", "v6"), entry("arm", "v7"), entry("amd64")],
	};
	expect(choosePlatform(index, { os: "linux", architecture: "arm", variant: "v7" }).platform?.variant).toBe("v7");
	expect(choosePlatform(index, { os: "linux", architecture: "arm", variant: "v6" }).platform?.variant).toBe("v6");
	expect(choosePlatform(index, { os: "linux", architecture: "amd64" }).platform?.architecture).toBe("amd64");
});

test("X-Registry-Auth is read in either alphabet, and nonsense is no credentials", () => {
	const text = JSON.stringify({ username: "joe", password: "a>?b" });
	const want = { username: "joe", password: "a>?b" };
	expect(parseRegistryAuth(Buffer.from(text).toString("base64url"))).toEqual(want);
	expect(parseRegistryAuth(Buffer.from(text).toString("base64"))).toEqual(want);
	expect([parseRegistryAuth("e30="), parseRegistryAuth("%%%"), parseRegistryAuth(undefined)]).toEqual([
		undefined,
		undefined,
		undefined,
	]);
	expect(credentialsOf({ auth: btoa("joe:a:b") })).toEqual({ username: "joe", password: "a:b" });
	expect(credentialsOf({ identitytoken: "t" })).toEqual({ identityToken: "t" });
});
