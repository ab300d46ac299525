import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chooseImages, LIBRARY, tagsOf, versionTags } from "./catalog.ts";

describe("chooseImages()", () => {
	test("takes what an image stands on along, and before it", () => {
		expect(chooseImages(["redis", "nginx"]).map(({ name }) => name)).toEqual(["debian-slim", "nginx", "redis"]);
		expect(chooseImages(["busybox"]).map(({ name }) => name)).toEqual(["busybox"]);
		expect(chooseImages([])).toEqual([...LIBRARY]);
	});

	test("names what there is", () => {
		expect(() => chooseImages(["mysql"])).toThrow('there is no image "mysql"; there are busybox, debian,');
	});
});

test("every image has a Dockerfile or is made of packages", () => {
	for (const { name, bootstrap } of LIBRARY)
		if (bootstrap === undefined)
			expect(readFileSync(join(import.meta.dir, name, "Dockerfile"), "utf8")).toContain("FROM debian:bookworm-slim");
		else expect(existsSync(join(import.meta.dir, name))).toBe(false);
});

describe("versionTags()", () => {
	for (const [version, tags] of [
		["1.22.1-9+deb12u2", ["1.22.1", "1.22", "1"]],
		["5:7.0.15-1~deb12u6", ["7.0.15", "7.0", "7"]],
		["18.20.4+dfsg-1~deb12u1", ["18.20.4", "18.20", "18"]],
		["15.18-0+deb12u1", ["15.18", "15"]],
		["3.11.2-1+b1", ["3.11.2", "3.11", "3"]],
		["unknown", []],
	] as const)
		test(version, () => expect(versionTags(version)).toEqual([...tags]));
});

test("tagsOf() has the suite's name, too", () => {
	const image = (name: string) => LIBRARY.find((each) => each.name === name) ?? { name };
	expect(tagsOf(image("nginx"), "bookworm", "1.22.1-9")).toEqual(["latest", "bookworm", "1.22.1", "1.22", "1"]);
	expect(tagsOf(image("debian-slim"), "bookworm", undefined)).toEqual(["bookworm-slim"]);
});
