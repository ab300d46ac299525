import { describe, expect, test } from "bun:test";
import { InvalidParameterError } from "../base/errors.ts";
import { CONTAINER_CREATE_SHAPE } from "./body-shapes.ts";
import { decodeShape } from "./json-shape.ts";

describe("decodeShape()", () => {
	test("spells fields canonically, drops unknown ones and nulls", () => {
		const body = {
			image: "busybox",
			TTY: true,
			cmd: "ls",
			Entrypoint: null,
			NoSuchField: 1,
			hostconfig: { binds: ["/a:/b"] },
		};
		expect(decodeShape(body, CONTAINER_CREATE_SHAPE)).toEqual({
			Image: "busybox",
			Tty: true,
			Cmd: ["ls"],
			HostConfig: { Binds: ["/a:/b"] },
		});
	});

	test("keeps empty lists, which mean something else than absent ones", () => {
		expect(decodeShape({ Cmd: [], HostConfig: { MaskedPaths: [] } }, CONTAINER_CREATE_SHAPE)).toEqual({
			Cmd: [],
			HostConfig: { MaskedPaths: [] },
		});
	});

	test("keeps keys of maps as they are, null values too", () => {
		const body = JSON.parse(
			'{"Labels":{"__proto__":"x","A":null},"NetworkingConfig":{"EndpointsConfig":{"bridge":null}}}',
		);
		const decoded = decodeShape(body, CONTAINER_CREATE_SHAPE);
		expect(JSON.stringify(decoded)).toBe(
			'{"Labels":{"__proto__":"x","A":""},"NetworkingConfig":{"EndpointsConfig":{"bridge":null}}}',
		);
	});

	const refused: [string, unknown, string][] = [
		["a text for a boolean", { Tty: "x" }, "field Tty is a string, but must be a boolean"],
		["a list for the body", [], "the body is a list, but must be an object"],
		[
			"a fraction for an integer",
			{ HostConfig: { Memory: 1.5 } },
			"field HostConfig.Memory is number 1.5, but must be an integer",
		],
		["a text for a list", { Env: "A=b" }, "field Env is a string, but must be a list"],
		["a number in a list of texts", { Env: [1] }, "field Env[0] is a number, but must be a string"],
	];
	for (const [name, body, message] of refused)
		test(`refuses ${name}`, () => {
			expect(() => decodeShape(body, CONTAINER_CREATE_SHAPE)).toThrow(
				new InvalidParameterError(`invalid JSON: ${message}`),
			);
		});
});
