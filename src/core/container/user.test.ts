import { expect, test } from "bun:test";
import { specInput } from "../../../test/support/runtime-spec-input.ts";
import { resolveUser } from "./user.ts";

const FILES = specInput().userFiles;

test("resolveUser() looks names and numbers up in the container's files", () => {
	const cases: [string, string[], number, number, number[]][] = [
		["", [], 0, 0, [0]],
		["ann", [], 1000, 1000, [1000, 29, 50]],
		["1000", [], 1000, 1000, [1000, 29, 50]],
		["ann:audio", [], 1000, 29, [29]],
		["5000", [], 5000, 0, [0]],
		["5000:6000", [], 5000, 6000, [6000]],
		["www", ["staff", "77"], 33, 33, [33, 29, 50, 77]],
	];
	for (const [spec, groupAdd, uid, gid, additionalGids] of cases)
		expect([spec, resolveUser(spec, FILES, groupAdd)]).toEqual([spec, { uid, gid, additionalGids }]);
});

test("without files root and numbers still work", () => {
	expect(resolveUser("12:34", { passwd: "", group: "" })).toEqual({ uid: 12, gid: 34, additionalGids: [34] });
});

for (const [spec, groups, message] of [
	["nosuch", [], "unable to find user nosuch: no matching entries in passwd file"],
	["0:nosuch", [], "unable to find group nosuch: no matching entries in group file"],
	["", ["nosuch"], "unable to find group nosuch: no matching entries in group file"],
	["-1", [], "uids and gids must be in range 0-2147483647"],
	["2147483648", [], "uids and gids must be in range 0-2147483647"],
] as const)
	test(message, () => {
		expect(() => resolveUser(spec, FILES, groups)).toThrow(new Error(message));
	});
