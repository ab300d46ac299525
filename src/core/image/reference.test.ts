import { describe, expect, test } from "bun:test";
import {
	familiar,
	formatReference,
	parseAnyReference,
	parseReference,
	referenceFromParts,
	splitReference,
} from "./reference.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const HEX = "ab".repeat(32);

describe("parseReference()", () => {
	for (const [text, whole, short] of [
		["busybox", "docker.io/library/busybox", "busybox"],
		["busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"],
		["library/busybox", "docker.io/library/busybox", "busybox"],
		["docker.io/busybox", "docker.io/library/busybox", "busybox"],
		["index.docker.io/library/busybox", "docker.io/library/busybox", "busybox"],
		["me/app:v1", "docker.io/me/app:v1", "me/app:v1"],
		["a/b/c", "docker.io/a/b/c", "a/b/c"],
		["localhost/app", "localhost/app", "localhost/app"],
		["localhost:5000/app:x", "localhost:5000/app:x", "localhost:5000/app:x"],
		["[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"],
		["Uppercase.example/app", "Uppercase.example/app", "Uppercase.example/app"],
		["a__b/c-d.e_f", "docker.io/a__b/c-d.e_f", "a__b/c-d.e_f"],
		[`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
		[`busybox:1@${DIGEST}`, `docker.io/library/busybox:1@${DIGEST}`, `busybox:1@${DIGEST}`],
		["abcdef", "docker.io/library/abcdef", "abcdef"],
	] as const)
		test(`"${text}" is ${whole}`, () => {
			const reference = formatReference(parseReference(text));
			expect([reference, familiar(reference)]).toEqual([whole, short]);
			expect(formatReference(splitReference(reference))).toBe(whole);
		});

	for (const [text, message] of [
		["", "invalid reference format"],
		["Foo", "invalid reference format: repository name (library/Foo) must be lowercase"],
		["foo/Bar:x", "invalid reference format: repository name (foo/Bar) must be lowercase"],
		["a b", "invalid reference format"],
		["-foo", "invalid reference format"],
		["foo:", "invalid reference format"],
		["foo:-x", "invalid reference format"],
		[`foo:${"x".repeat(129)}`, "invalid reference format"],
		["foo@sha256:abc", "invalid reference format"],
		["foo//bar", "invalid reference format"],
		["a___b", "invalid reference format"],
		["../x", "invalid reference format"],
		["foo\n", "invalid reference format"],
		["https://example.org/a", "invalid reference format"],
		[HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
		[`${"a/".repeat(128)}a`, "repository name must not be more than 255 characters"],
	] as const)
		test(`"${text.slice(0, 40)}" is refused`, () => {
			expect(() => parseReference(text)).toThrow(message);
		});
});

test("parseAnyReference() takes whole IDs with and without their algorithm", () => {
	expect(parseAnyReference(HEX)).toEqual({ kind: "digest", digest: DIGEST as never });
	expect(parseAnyReference(DIGEST)).toEqual({ kind: "digest", digest: DIGEST as never });
	expect(parseAnyReference("abc").kind).toBe("named");
});

test("referenceFromParts() joins what the API gives apart", () => {
	expect(formatReference(referenceFromParts("foo", ""))).toBe("docker.io/library/foo:latest");
	expect(formatReference(referenceFromParts("foo:1", ""))).toBe("docker.io/library/foo:1");
	expect(formatReference(referenceFromParts("foo:1", "2"))).toBe("docker.io/library/foo:2");
	expect(() => referenceFromParts("foo", "-")).toThrow("invalid tag format");
	expect(() => referenceFromParts(`foo@${DIGEST}`, "")).toThrow("refusing to create a tag with a digest reference");
	expect(() => referenceFromParts("sha256", "abc")).toThrow("refusing to create an ambiguous tag");
});
