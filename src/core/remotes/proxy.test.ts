import { expect, test } from "bun:test";
import { proxyFor, proxyVariables, withVariables } from "./proxy.ts";

const settings = (...exceptions: string[]) => ({ http: "plain:3128", https: "https://secure:3129", exceptions });

for (const [address, exceptions, want] of [
	["http://registry.test/v2/", [], "http://plain:3128"],
	["https://registry.test/v2/", [], "https://secure:3129"],
	["http://localhost:5000/", [], undefined],
	["http://127.3.2.1/", [], undefined],
	["http://[::1]:5000/", [], undefined],
	["https://registry.test/", ["*"], undefined],
	["https://registry.test/", ["registry.test"], undefined],
	["https://a.registry.test/", ["registry.test"], undefined],
	["https://registry.test/", [".registry.test"], "https://secure:3129"],
	["https://a.registry.test/", [".registry.test"], undefined],
	["https://a.registry.test/", ["*.registry.test"], undefined],
	["https://myregistry.test/", ["registry.test"], "https://secure:3129"],
	["https://registry.test/", ["registry.test:443"], undefined],
	["https://registry.test:5000/", ["registry.test:443"], "https://secure:3129"],
	["http://10.1.2.3:5000/", ["10.1.0.0/16"], undefined],
	["http://10.2.2.3:5000/", ["10.1.0.0/16", "", " "], "http://plain:3128"],
	["http://[fd00::5]/", ["fd00::/8"], undefined],
	["http://[fd00::5]/", ["fd00::5"], undefined],
	["http://[fe80::5]/", ["fd00::/8", "10.0.0.0/99"], "http://plain:3128"],
] as const)
	test(`${address} with exceptions [${exceptions.join(" ")}] goes ${want === undefined ? "directly" : `through ${want}`}`, () => {
		expect(proxyFor(new URL(address), settings(...exceptions))).toBe(want as string);
	});

for (const [variables, want] of [
	[{}, { http_proxy: "plain:3128", https_proxy: "https://secure:3129", no_proxy: "a" }],
	[
		{ HTTP_PROXY: "own:1", https_proxy: "" },
		{ http_proxy: "own:1", no_proxy: "a" },
	],
	[
		{ http_proxy: "small:1", HTTP_PROXY: "large:1", NO_PROXY: "b, ,c" },
		{ http_proxy: "small:1", no_proxy: "b,c" },
	],
	[{ no_proxy: "", OTHER: "x" }, {}],
] as const)
	test(`variables ${JSON.stringify(variables)} in place of settings`, () => {
		const changed = withVariables(settings("a"), new Map(Object.entries(variables)));
		expect(proxyVariables(changed)).toMatchObject(want);
		expect(Object.keys(proxyVariables(changed)).includes("no_proxy")).toBe(changed.exceptions.length > 0);
	});
