import { describe, expect, test } from "bun:test";
import { OP, SOURCE_INFO } from "../../../api/buildkit/values.ts";
import { InvalidParameterError } from "../../../base/errors.ts";
import { DockerfileError } from "../../dockerfile/dockerfile-error.ts";
import { BuildStepError } from "../step-error.ts";
import { pruneFilters } from "./cache-filters.ts";
import { cacheExport } from "./cache-options.ts";
import { exporterRequest } from "./exporter-options.ts";
import { definitionOf, referenceOf } from "./result-reference.ts";
import { sessionHeaders } from "./session-headers.ts";
import { errorDetails, messageOfError } from "./solve-error.ts";

describe("exporterRequest()", () => {
	test("knows the daemon's own store by its name, pushes, and annotations by their level", () => {
		const attrs = new Map([
			["name", "a,b"],
			["push", "1"],
			["annotation.k", "v"],
			["annotation-index.i", "w"],
		]);
		expect(exporterRequest([{ type: "moby", attrs }])).toEqual({
			outputs: [{ type: "image", attributes: { name: "a,b", push: "true" } }],
			annotations: [
				{ level: "manifest", key: "k", value: "v" },
				{ level: "index", key: "i", value: "w" },
			],
		});
	});

	for (const [type, attrs, message] of [
		["zip", {}, 'exporter "zip" could not be found'],
		["image", { push: "perhaps" }, "non-bool value"],
		["image", { "push-by-digest": "true" }, "push-by-digest is not supported"],
		["image", { "annotation-manifest[linux/amd64].k": "v" }, "annotations of one platform"],
	] as const)
		test(`refuses ${type} with ${JSON.stringify(attrs)}`, () => {
			expect(() => exporterRequest([{ type, attrs: new Map(Object.entries(attrs)) }])).toThrow(message);
		});
});

test("cacheExport() refuses what is not there", () => {
	expect(() => cacheExport("gha", new Map())).toThrow('unknown cache exporter: "gha"');
});

describe("pruneFilters()", () => {
	for (const [texts, keepNs, expected] of [
		[["type==source.local,inuse"], 0, { type: ["source.local"], inuse: [""] }],
		[['description~="a b"'], 0, { description: ["~a b"] }],
		[["id=x"], 3_600e9, { id: ["x"], until: ["3600000ms"] }],
		[[""], 0, {}],
	] as const)
		test(`reads ${JSON.stringify(texts)}`, () => {
			expect<object>(Object.fromEntries(pruneFilters(texts, keepNs))).toEqual(expected);
		});

	for (const text of ["type!=regular", "==x"])
		test(`refuses ${text}`, () => expect(() => pruneFilters([text], 0)).toThrow(/filter/));
});

describe("A result's reference", () => {
	test("comes back from its graph", () => expect(referenceOf(definitionOf("abc"))).toBe("abc"));

	test("is in no other graph", () => {
		const image = OP.encode({ source: { identifier: "docker-image://busybox", attrs: new Map() } });
		for (const def of [[], [image], [image, OP.encode({})], [...definitionOf("a").def, ...definitionOf("b").def]])
			expect(() => referenceOf({ def, metadata: new Map() })).toThrow("builds of LLB are not supported");
	});
});

test("sessionHeaders() escapes a list as a whole where it must", () => {
	expect(sessionHeaders({ a: ["x y", "z"], none: [], b: ["ö", "a b"], c: [" x"] })).toEqual({
		a: ["x y", "z"],
		b: ["%C3%B6", "a%20b"],
		"b-encoded": "1",
		c: ["%20x"],
		"c-encoded": "1",
	});
});

describe("errors of a build", () => {
	const source = { filename: "D", data: Buffer.from("FROM x\nRUN y\n") };
	const range = { start: { line: 2, column: 1 }, end: { line: 2, column: 4 } };

	test("have the Dockerfile's lines beside the message", () => {
		const step = { instruction: "RUN y", lines: { start: 2, end: 2 } };
		const failed = new BuildStepError(step, "it failed", { cause: new InvalidParameterError("exit 1") });
		const [detail] = errorDetails(new Error("outer", { cause: failed }), source);
		expect(detail?.typeUrl).toBe("github.com/moby/buildkit/errdefs.Source+json");
		expect(JSON.parse(Buffer.from(detail?.value ?? []).toString())).toEqual({
			info: { filename: "D", data: Buffer.from(source.data).toString("base64"), language: "Dockerfile" },
			ranges: [{ start: { line: 2 }, end: { line: 2 } }],
		});
		expect(SOURCE_INFO.decode(SOURCE_INFO.encode(source)).filename).toBe("D");
	});

	test("have none where there are none", () => {
		expect(errorDetails(new Error("x"), source)).toEqual([]);
		expect(errorDetails(new DockerfileError({ reason: "r", ranges: [range] }), undefined)).toEqual([]);
	});

	test("are told without the excerpt that clients show by themselves", () => {
		const error = new DockerfileError({ reason: "unknown", ranges: [range], source: "FROM x\nRUN y\n" });
		expect(messageOfError(error)).toBe("dockerfile parse error on line 2: unknown");
		expect(messageOfError(new Error("plain"))).toBe("plain");
	});
});
