import { describe, expect, test } from "bun:test";
import { InvalidParameterError } from "../base/errors.ts";
import { json } from "./http/reply.ts";
import { type Method, Router } from "./router.ts";

const PATHS: [Method, string][] = [
	["GET", "/containers/json"],
	["GET", "/containers/{name}/json"],
	["DELETE", "/containers/{name}"],
	["GET", "/images/{name...}/json"],
	["GET", "/images/json"],
];
const router = new Router(PATHS.map(([method, path]) => ({ method, path, handle: () => json(null) })));

describe("Router", () => {
	const found: [string, string, string, Record<string, string>][] = [
		["GET", "/containers/json", "/containers/json", {}],
		["GET", "/containers/abc/json", "/containers/{name}/json", { name: "abc" }],
		["DELETE", "/containers/a%2Fb", "/containers/{name}", { name: "a/b" }],
		["GET", "/images/json", "/images/json", {}],
		["GET", "/images/reg:5000/a/b:c/json", "/images/{name...}/json", { name: "reg:5000/a/b:c" }],
	];
	for (const [method, path, route, parameters] of found)
		test(`finds ${method} ${path}`, () => {
			const match = router.find(method, path);
			expect({ route: match?.route.path, parameters: match?.parameters }).toEqual({ route, parameters });
		});
	for (const [method, path] of [
		["PUT", "/containers/json"],
		["GET", "/containers/a/b/json"],
		["GET", "/containers//json"],
		["GET", "/nosuch"],
	] as const)
		test(`finds nothing for ${method} ${path}`, () => expect(router.find(method, path)).toBeUndefined());
	test("refuses a broken escape", () => {
		expect(() => router.find("DELETE", "/containers/%zz")).toThrow(InvalidParameterError);
	});
});
