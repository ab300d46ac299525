import { describe, expect, test } from "bun:test";
import { frontendRequest } from "./frontend-options.ts";

const parse = (options: Readonly<Record<string, string>>) => frontendRequest(new Map(Object.entries(options)));

describe("frontendRequest()", () => {
	test("has BuildKit's defaults", () => {
		expect(parse({})).toEqual({
			context: { kind: "local", name: "context" },
			dockerfileDirectory: "dockerfile",
			filename: "Dockerfile",
			named: new Map(),
			question: "",
			isProvenanceOptional: false,
			request: {
				target: "",
				buildArgs: new Map(),
				labels: new Map(),
				platforms: [],
				noCache: [],
				pull: false,
				cacheFrom: [],
				network: "default",
				extraHosts: [],
				limits: {},
				attestations: {},
				sourceDateEpoch: undefined,
			},
		});
	});

	for (const [what, options, expected] of [
		[
			"build arguments and labels",
			{ "build-arg:A": "1", "label:x.y": "z" },
			{ buildArgs: new Map([["A", "1"]]), labels: new Map([["x.y", "z"]]) },
		],
		["no cache at all", { "no-cache": "" }, { noCache: "all" }],
		["no cache for stages", { "no-cache": "a,b" }, { noCache: ["a", "b"] }],
		["newer images", { "image-resolve-mode": "pull" }, { pull: true }],
		["images that are here", { "image-resolve-mode": "local" }, { pull: false }],
		[
			"platforms",
			{ platform: "linux/amd64,linux/arm64/v8" },
			{
				platforms: [
					{ os: "linux", architecture: "amd64" },
					{ os: "linux", architecture: "arm64", variant: "v8" },
				],
			},
		],
		["hosts", { "add-hosts": "a=1.2.3.4,b=::1" }, { extraHosts: ["a:1.2.3.4", "b:::1"] }],
		["the host's network", { "force-network-mode": "host" }, { network: "host" }],
		[
			"limits",
			{ "shm-size": "1024", ulimit: "nofile=1:2,nproc=3", "cgroup-parent": "/g", memory: "5" },
			{
				limits: {
					memoryBytes: 5,
					shmSizeBytes: 1024,
					cgroupParent: "/g",
					ulimits: [
						{ Name: "nofile", Soft: 1, Hard: 2 },
						{ Name: "nproc", Soft: 3, Hard: 3 },
					],
				},
			},
		],
		["a time", { "build-arg:SOURCE_DATE_EPOCH": "7" }, { sourceDateEpoch: 7 }],
		[
			"caches of registries",
			{ "cache-from": "a,b" },
			{
				cacheFrom: [
					{ type: "registry", attributes: { ref: "a" } },
					{ type: "registry", attributes: { ref: "b" } },
				],
			},
		],
		[
			"caches",
			{ "cache-imports": '[{"Type":"local","Attrs":{"src":"/c","digest":"sha256:0"}}]' },
			{ cacheFrom: [{ type: "local", attributes: { src: "/c", digest: "sha256:0" } }] },
		],
		[
			"statements",
			{ "attest:provenance": "mode=min", "attest:sbom": "" },
			{ attestations: { provenance: { mode: "min" }, sbom: { generator: "" } } },
		],
		["statements that are off", { "attest:provenance": "disabled=true" }, { attestations: {} }],
		["a host's name", { hostname: "h" }, { buildArgs: new Map([["BUILDKIT_SANDBOX_HOSTNAME", "h"]]) }],
	] as const)
		test(`reads ${what}`, () => expect(parse(options).request).toMatchObject(expected as object));

	for (const [options, context, dockerfileDirectory] of [
		[{ context: "https://h/x.git" }, { kind: "remote", url: "https://h/x.git" }, undefined],
		[
			{ context: "https://h/x.git", dockerfilekey: "dockerfile" },
			{ kind: "remote", url: "https://h/x.git" },
			"dockerfile",
		],
		[{ context: "http://buildkit-session/abc" }, { kind: "upload", id: "abc" }, undefined],
		[{ contextkey: "other", other: "git@h:x.git" }, { kind: "remote", url: "git@h:x.git" }, undefined],
		[{ dockerfilekey: "_d" }, { kind: "local", name: "context" }, "_d"],
	] as const)
		test(`takes files from ${JSON.stringify(options)}`, () => {
			expect(parse(options)).toMatchObject({ context, dockerfileDirectory });
		});

	test("knows other contexts", () => {
		const named = parse({
			"context:a": "docker-image://busybox:1",
			"context:b": "local:b",
			"context:c": "input:c",
			"context:d::linux/amd64": "https://h/d.git",
			"context:e": "oci-layout://store:tag@sha256:0",
		});
		expect([...named.named]).toEqual([
			["a", { kind: "image", reference: "busybox:1" }],
			["b", { kind: "local", name: "b" }],
			["c", { kind: "input", name: "c" }],
			["d", { kind: "remote", url: "https://h/d.git" }],
			["e", { kind: "layout", store: "store", image: "sha256:0" }],
		]);
	});

	test("tells provenance that is asked for from the client's default", () => {
		expect(parse({ "attest:provenance": "mode=min,inline-only=true" }).isProvenanceOptional).toBe(true);
		expect(parse({ "attest:provenance": "mode=min" }).isProvenanceOptional).toBe(false);
	});

	for (const [options, message] of [
		[{ "frontend.caps": "moby.buildkit.frontend.contexts+forward,x" }, "unsupported frontend capability x"],
		[{ "force-network-mode": "my-net" }, "invalid netmode my-net"],
		[{ ulimit: "nofile" }, "invalid ulimit argument: nofile"],
		[{ "shm-size": "1g" }, "invalid shm-size: 1g"],
		[{ "add-hosts": "a" }, "invalid key-value pair a"],
		[{ "context:a": "b" }, "invalid context specifier b for a"],
		[{ "context:a::linux/amd64": "input:a", "context:a::linux/arm64": "input:b" }, "for each platform"],
		[{ "cache-imports": "{" }, "failed to unmarshal cache-imports"],
		[{ "cache-imports": '[{"Type":"gha"}]' }, 'unknown cache importer: "gha"'],
		[{ devices: "x" }, "devices is not supported"],
		[{ "attest:provenance": "mode=all" }, "invalid provenance mode: all"],
	] as const)
		test(`refuses ${JSON.stringify(options)}`, () => expect(() => parse(options)).toThrow(message));
});
