import { expect, test } from "bun:test";
import { layOutWithin } from "./narrow-table.ts";
import { layOutTable } from "./table.ts";

const LINES = [
	["ID", "COMMAND", "PORTS", "NAMES"],
	["0123456789ab", '"sh -c sleep"', "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", "web"],
	["ba9876543210", '"sh"', "", "database"],
];
const LEAST = [undefined, 8, 8, undefined];

test("a table that fits looks as everywhere", () => {
	const plain = layOutTable(LINES);
	expect(layOutWithin(LINES, LEAST, 200)).toBe(plain);
	expect(layOutWithin(LINES, LEAST, Math.max(...plain.split("\n").map((line) => line.length)))).toBe(plain);
});

test("the widest columns that may be cut are, and no line is longer than the terminal", () => {
	expect(layOutWithin(LINES, LEAST, 60)).toBe(
		[
			"ID            COMMAND        PORTS                  NAMES",
			'0123456789ab  "sh -c sleep"  0.0.0.0:8080->80/tcp…  web',
			'ba9876543210  "sh"                                  database',
			"",
		].join("\n"),
	);
	for (let columns = 42; columns < 100; columns++)
		for (const line of layOutWithin(LINES, LEAST, columns).split("\n"))
			expect([...line].length).toBeLessThanOrEqual(columns);
});

test("what may not be cut stays whole, however narrow the terminal", () => {
	expect(layOutWithin(LINES, LEAST, 10).split("\n")[1]).toBe('0123456789ab  "sh -c …  0.0.0.0…  web');
});
