import { describe, expect, test } from "bun:test";
import { DEFAULT_DETACH_KEYS, DetachScanner, parseDetachKeys } from "./detach-keys.ts";

test("parseDetachKeys() reads control keys and plain characters", () => {
	expect([...parseDetachKeys("ctrl-@,a,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,ctrl-z,Q")]).toEqual([
		0, 97, 27, 28, 29, 30, 31, 26, 81,
	]);
	expect(() => parseDetachKeys("ctrl-1")).toThrow("invalid detach keys (ctrl-1): Unknown character: 'ctrl-1'");
	expect(() => parseDetachKeys("ab")).toThrow("Unknown character: 'ab'");
});

describe("DetachScanner", () => {
	const P = 16;
	const Q = 17;
	function type(keys: string, ...inputs: number[][]): { output: number[]; isDetached: boolean } {
		const scanner = new DetachScanner(parseDetachKeys(keys));
		const output: number[] = [];
		for (const input of inputs) {
			const result = scanner.push(Uint8Array.from(input));
			output.push(...result.output);
			if (result.isDetached) return { output, isDetached: true };
		}
		return { output, isDetached: false };
	}

	const cases: [string, string, number[][], { output: number[]; isDetached: boolean }][] = [
		["finds the keys in one piece", DEFAULT_DETACH_KEYS, [[97, P, Q, 98]], { output: [97], isDetached: true }],
		["finds the keys in two pieces", DEFAULT_DETACH_KEYS, [[P], [Q]], { output: [], isDetached: true }],
		["holds the first key back until the next decides", DEFAULT_DETACH_KEYS, [[P]], { output: [], isDetached: false }],
		[
			"passes the first key on when another follows",
			DEFAULT_DETACH_KEYS,
			[[P], [97]],
			{ output: [P, 97], isDetached: false },
		],
		["starts anew at a repeated first key", DEFAULT_DETACH_KEYS, [[P, P, Q]], { output: [P], isDetached: true }],
		["leaves the second key alone", DEFAULT_DETACH_KEYS, [[Q, Q]], { output: [Q, Q], isDetached: false }],
		["takes a single key", "ctrl-x", [[97, 24]], { output: [97], isDetached: true }],
	];
	for (const [name, keys, inputs, want] of cases)
		test(name, () => {
			expect(type(keys, ...inputs)).toEqual(want);
		});
});
