import { describe, expect, test } from "bun:test";
import { parseImageConfig } from "./parse-image-config.ts";

const DIFF_ID = `sha256:${"a".repeat(64)}`;
const parse = (value: unknown) => parseImageConfig(Buffer.from(JSON.stringify(value)));
const ROOTFS = { type: "layers", diff_ids: [DIFF_ID] };

describe("parseImageConfig()", () => {
	test("keeps what is well-formed, unknown fields included, and fills in the platform", () => {
		const config = { Env: ["A=b"], Cmd: null, Labels: { a: "b" }, Healthcheck: { Test: ["CMD", "x"] }, Odd: 1 };
		expect(parse({ rootfs: ROOTFS, config, history: [{ created_by: "x", empty_layer: true }], variant: null })).toEqual(
			{
				architecture: "",
				os: "linux",
				config,
				history: [{ created_by: "x", empty_layer: true }],
				rootfs: { type: "layers", diff_ids: [DIFF_ID as never] },
			},
		);
	});

	for (const [name, value, message] of [
		["a list", [], "no RootFS key"],
		["no rootfs", {}, "no RootFS key"],
		["a diff ID that is none", { rootfs: { diff_ids: ["../x"] } }, "rootfs.diff_ids is no list of digests"],
		["a diff ID of another kind", { rootfs: { diff_ids: [5] } }, "rootfs.diff_ids is no list of digests"],
		["an environment of numbers", { rootfs: ROOTFS, config: { Env: [1] } }, "config.Env has the wrong type"],
		["a command that is a text", { rootfs: ROOTFS, config: { Cmd: "sh" } }, "config.Cmd has the wrong type"],
		["labels that are no texts", { rootfs: ROOTFS, config: { Labels: { a: {} } } }, "config.Labels has the wrong type"],
		[
			"a health check of texts",
			{ rootfs: ROOTFS, config: { Healthcheck: { Interval: "5s" } } },
			"config.Healthcheck has the wrong type",
		],
		["a configuration that is a text", { rootfs: ROOTFS, config: "x" }, "config has the wrong type"],
		["a history that is no list", { rootfs: ROOTFS, history: {} }, "history has the wrong type"],
		["a date that is a number", { rootfs: ROOTFS, created: 5 }, "created has the wrong type"],
	] as const)
		test(`refuses ${name}`, () => {
			expect(() => parse(value)).toThrow(message);
		});

	test("refuses what is not JSON", () => {
		expect(() => parseImageConfig(Buffer.from("{"))).toThrow("not JSON");
	});
});
