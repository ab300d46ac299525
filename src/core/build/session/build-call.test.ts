import { describe, expect, test } from "bun:test";
import { type BuildCall, parseBuildCall } from "./build-call.ts";

const CALL: BuildCall = {
	method: "build",
	id: "one",
	dockerfile: { kind: "text", text: "FROM scratch", name: "Dockerfile" },
	context: { kind: "directory", name: "context", key: "k", description: "d", files: { ".dockerignore": null, a: "b" } },
	namedContexts: { more: { kind: "image", reference: "busybox" }, other: { kind: "git", url: "https://h/x.git" } },
	target: "",
	buildArgs: { A: "1" },
	labels: {},
	tags: ["a:1"],
	platforms: [{ os: "linux", architecture: "amd64" }],
	noCache: ["stage"],
	pull: false,
	cacheFrom: [{ type: "registry", attributes: { ref: "r" } }],
	cacheTo: [],
	network: "default",
	extraHosts: [],
	limits: { memoryBytes: 1, memorySwapBytes: -1, ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] },
	outputs: [{ type: "image", attributes: {} }],
	annotations: [{ level: "index", key: "a", value: "b" }],
	attestations: { provenance: { mode: "max" }, sbom: { generator: "" } },
	squash: false,
	allow: ["network.host"],
	sourceDateEpoch: 5,
};

describe("parseBuildCall()", () => {
	for (const [what, change] of [
		["as it is", {}],
		["without files", { context: null, namedContexts: {}, sourceDateEpoch: null, noCache: "all" }],
		["of an archive", { context: { kind: "tar", name: "context" }, dockerfile: { kind: "context", path: "D" } }],
	] as const)
		test(`takes a request ${what}`, () => {
			const call = { ...CALL, ...change };
			expect(parseBuildCall(JSON.parse(JSON.stringify(call)))).toEqual(call as BuildCall);
		});

	for (const [field, value] of [
		["dockerfile", { kind: "text", text: 1, name: "x" }],
		["dockerfile", undefined],
		["context", { kind: "directory", name: "context" }],
		["context", { kind: "socket", name: "context" }],
		["context", { ...CALL.context, files: { a: 1 } }],
		["namedContexts", { a: { kind: "image" } }],
		["namedContexts", []],
		["buildArgs", { A: 1 }],
		["tags", "a"],
		["platforms", [{ os: "linux" }]],
		["noCache", true],
		["pull", "yes"],
		["cacheFrom", [{ type: "gha", attributes: {} }]],
		["limits", { memoryBytes: "1g" }],
		["limits", { cpuShares: 0.5 }],
		["limits", { ulimits: [{ Name: "nofile" }] }],
		["outputs", [{ type: "zip", attributes: {} }]],
		["annotations", [{ level: "all", key: "a", value: "b" }]],
		["attestations", { provenance: { mode: "some" } }],
		["sourceDateEpoch", "now"],
	] as const)
		test(`refuses ${JSON.stringify(value)} for ${field}`, () =>
			expect(() => parseBuildCall({ ...CALL, [field]: value })).toThrow(`invalid build request: ${field}`));

	for (const value of [null, [], "build", {}, { method: "other" }])
		test(`refuses ${JSON.stringify(value)}`, () => expect(() => parseBuildCall(value)).toThrow("unexpected stream"));
});
