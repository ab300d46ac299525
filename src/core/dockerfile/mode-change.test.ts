import { expect, test } from "bun:test";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseModeChange } from "./mode-change.ts";

const cases: readonly (readonly [text: string, before: number, file: number, directory: number])[] = [
	["755", 0o600, 0o755, 0o755],
	["0644", 0o777, 0o644, 0o644],
	["4755", 0o600, 0o4755, 0o4755],
	["7", 0o777, 0o007, 0o007],
	["u+x", 0o644, 0o744, 0o744],
	["+x", 0o644, 0o755, 0o755],
	["go-rwx", 0o755, 0o700, 0o700],
	["a=r", 0o755, 0o444, 0o444],
	["u=rwX,go=rX", 0o600, 0o644, 0o755],
	["u=rwX,go=rX", 0o700, 0o755, 0o755],
	["g=u", 0o640, 0o660, 0o660],
	["u+s,+t", 0o755, 0o5755, 0o5755],
	["u=rw-w", 0o777, 0o477, 0o477],
	["o=", 0o777, 0o770, 0o770],
	["u=rwX,go=rX", 0o7777, 0o1755, 0o1755],
	["=", 0o7777, 0o1000, 0o1000],
	["o=rx", 0o7777, 0o7775, 0o7775],
	["o+t", 0o600, 0o600, 0o600],
	["o-t", 0o1777, 0o1777, 0o1777],
	["a-t", 0o1777, 0o777, 0o777],
	["u=g", 0o7757, 0o7557, 0o7557],
];
test.each(cases)("%s on %d", (text, before, file, directory) => {
	const change = parseModeChange(text);
	expect([change(before, false), change(before, true)]).toEqual([file, directory]);
});

test.each(["", "9", "800", "77777", "u", "u+y", "x+r", "u+r,", "rwx", "-1"])("%j is no mode", (text) => {
	expect(() => parseModeChange(text)).toThrow(InvalidParameterError);
});
