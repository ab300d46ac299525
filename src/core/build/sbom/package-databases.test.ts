import { describe, expect, test } from "bun:test";
import {
	distributionId,
	parseApkInstalled,
	parseDpkgStatus,
	parseNpmPackage,
	parsePythonMetadata,
} from "./package-databases.ts";

describe("databases of packages", () => {
	test("dpkg", () => {
		const text = [
			"Package: adduser\nStatus: install ok installed\nArchitecture: all\nVersion: 3.134\nDescription: add\n more: here",
			"Package: gone\nStatus: deinstall ok config-files\nVersion: 1",
			"Package: libc6\nStatus: hold ok installed\nVersion: 2.36-9+deb12u4\nArchitecture: amd64",
			"garbage",
		].join("\n\n");
		expect(parseDpkgStatus(text, "/s").map(({ name, version, architecture }) => [name, version, architecture])).toEqual(
			[
				["adduser", "3.134", "all"],
				["libc6", "2.36-9+deb12u4", "amd64"],
			],
		);
		expect(parseDpkgStatus("Package: base-files\nVersion: 12", "/s").length).toBe(1);
	});

	test("apk", () => {
		const text = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\nF:lib\nR:ld.so\n\nP:broken\n\n\nP:zlib\nV:1.3-r0\n";
		expect(parseApkInstalled(text, "/i")).toEqual([
			{ kind: "apk", name: "musl", version: "1.2.4-r2", architecture: "x86_64", license: "MIT", foundIn: "/i" },
			{ kind: "apk", name: "zlib", version: "1.3-r0", foundIn: "/i" },
		]);
	});

	test("Python and npm", () => {
		expect(parsePythonMetadata("Metadata-Version: 2.1\r\nName: six\r\nVersion: 1.16\r\n\r\nName: no", "/m")).toEqual([
			{ kind: "pypi", name: "six", version: "1.16", foundIn: "/m" },
		]);
		expect(parseNpmPackage('{"name":"@a/b","version":"1.0.0","license":"ISC"}', "/p")).toEqual([
			{ kind: "npm", name: "@a/b", version: "1.0.0", license: "ISC", foundIn: "/p" },
		]);
		for (const text of ["", "null", "[]", '{"name":1}', '{"name":"a"}'])
			expect(parseNpmPackage(text, "/p")).toEqual([]);
	});

	test("os-release", () => {
		expect(distributionId('NAME="Alpine"\nID=alpine\n')).toBe("alpine");
		expect(distributionId('VERSION_ID="9"\nID="rocky"')).toBe("rocky");
		expect(distributionId("")).toBeUndefined();
	});
});
