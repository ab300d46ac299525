import { describe, expect, test } from "bun:test";
import { dependenciesMatch } from "./checkout.mjs";
import { isDebian, parseOsRelease } from "./machine.mjs";

test("parseOsRelease() takes quotes off and skips what is no field", () => {
	const text = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n# comment\nID=debian\nVERSION_ID='12'\n`;
	expect(parseOsRelease(text)).toEqual({
		PRETTY_NAME: "Debian GNU/Linux 12 (bookworm)",
		ID: "debian",
		VERSION_ID: "12",
	});
});

for (const [release, expected] of [
	[{ ID: "debian" }, true],
	[{ ID: "ubuntu", ID_LIKE: "debian" }, true],
	[{ ID: "fedora", ID_LIKE: "rhel centos" }, false],
	[{}, false],
])
	test(`isDebian() is ${expected} for ${JSON.stringify(release)}`, () => {
		expect(isDebian(release)).toBe(expected);
	});

describe("dependenciesMatch()", () => {
	const lock = {
		packages: {
			"": {},
			"node_modules/a": { version: "1.0.0" },
			"node_modules/b": { version: "2.0.0", optional: true },
		},
	};
	for (const [name, installed, expected] of [
		["nothing installed", undefined, false],
		["all installed", { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0" } }, true],
		["no binary of another platform", { "node_modules/a": { version: "1.0.0" } }, true],
		["another version", { "node_modules/a": { version: "1.0.1" } }, false],
		[
			"an optional one of another version",
			{ "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1" } },
			false,
		],
		["one missing", { "node_modules/b": { version: "2.0.0" } }, false],
	])
		test(`is ${expected} with ${name}`, () => {
			expect(dependenciesMatch(lock, installed && { packages: installed })).toBe(expected);
		});
});
