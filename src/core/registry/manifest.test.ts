import { describe, expect, test } from "bun:test";
import { AccessRules, parseAccessRules, parseScopes } from "./access.ts";
import { parseManifest } from "./manifest.ts";
import { isRepositoryName, isTag } from "./names.ts";
import { pathFor } from "./paths.ts";

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const DIGEST = `sha256:${"a".repeat(64)}`;
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

describe("repository names", () => {
	for (const name of ["a", "a/b/c", "a.b_c__d-e---f/0", "x".repeat(200)])
		test(`${name.slice(0, 20)} is one`, () => expect(isRepositoryName(name)).toBe(true));
	for (const name of [
		"",
		"/a",
		"a/",
		"a//b",
		"A",
		"_a",
		"a_",
		"a___b",
		"a..b",
		".",
		"..",
		"a/../b",
		"a b",
		"é",
		"a/_blobs",
		"x".repeat(256),
	])
		test(`${JSON.stringify(name).slice(0, 20)} is none`, () => expect(isRepositoryName(name)).toBe(false));
});

test("isTag() takes 128 characters that begin with no dot or dash", () => {
	expect(["v1", "_x", "A.b-c", "x".repeat(128)].map(isTag)).toEqual([true, true, true, true]);
	expect(["", ".a", "-a", "a/b", "a:b", "x".repeat(129)].map(isTag)).toEqual([
		false,
		false,
		false,
		false,
		false,
		false,
	]);
});

test("pathFor() refuses names that were not checked", () => {
	expect(() => pathFor({ kind: "repository", name: "../x" })).toThrow();
	expect(() => pathFor({ kind: "tag", name: "a", tag: "../x" })).toThrow();
	expect(() => pathFor({ kind: "upload", id: ".." })).toThrow();
});

describe("parseManifest()", () => {
	test("takes the type from the content when the request has none", () => {
		expect(parseManifest(bytes({ schemaVersion: 2, manifests: [] }), "").mediaType).toBe(OCI_INDEX);
	});

	test("names a configuration's media type as the artifact's when it has none of its own", () => {
		const config = { mediaType: "application/vnd.x.config", digest: DIGEST, size: 2 };
		expect(parseManifest(bytes({ schemaVersion: 2, config, layers: [] }), "").artifactType).toBe(
			"application/vnd.x.config",
		);
	});

	test("counts no brackets in texts as nesting", () => {
		const text = `{"schemaVersion":2,"manifests":[],"a":"${"[{".repeat(500)}\\"${"[".repeat(500)}"}`;
		expect(parseManifest(Buffer.from(text), OCI_INDEX).manifests).toEqual([]);
	});

	test("refuses more references than any image has", () => {
		const manifests = Array.from({ length: 10_001 }, () => ({ digest: DIGEST, size: 1 }));
		expect(() => parseManifest(bytes({ schemaVersion: 2, manifests }), OCI_INDEX)).toThrow("10000 entries");
	});
});

describe("access rules", () => {
	const rules = new AccessRules([
		{ user: "*", repositories: ["home/${user}/**", "shared/*"], actions: ["pull"] },
		{ user: "a.c", repositories: ["**"], actions: ["push"] },
	]);
	const cases: readonly (readonly [string, string, "pull" | "push", boolean])[] = [
		["bob", "home/bob/x/y", "pull", true],
		["bob", "home/alice/x", "pull", false],
		["bob", "shared/x", "pull", true],
		["bob", "shared/x/y", "pull", false],
		["", "shared/x", "pull", false],
		["a.c", "anything/at/all", "push", true],
		["abc", "anything/at/all", "push", false],
	];
	for (const [user, repository, action, allowed] of cases)
		test(`${user || "nobody"} ${allowed ? "may" : "may not"} ${action} ${repository}`, () =>
			expect(rules.allows(user, { repository, action })).toBe(allowed));

	test("parseAccessRules() names what is wrong", () => {
		expect(() => parseAccessRules({})).toThrow("rules is not a list");
		expect(() => parseAccessRules({ rules: [{ user: "a", repositories: ["x"], actions: ["fly"] }] })).toThrow(
			"unknown action fly",
		);
		expect(() => parseAccessRules({ rules: [{ usr: "a" }] })).toThrow("unknown key usr");
	});

	test("parseScopes() keeps ports in names and leaves nonsense out", () => {
		expect(parseScopes(["repository:host:5000/a:pull,push nonsense"])).toEqual([
			{ type: "repository", name: "host:5000/a", actions: ["pull", "push"] },
		]);
	});
});
