import { expect, test } from "bun:test";
import { parseSignal, signalName } from "./signals.ts";

test("parseSignal() reads names, numbers and real-time signals", () => {
	const given = [
		"9",
		"KILL",
		"SIGKILL",
		"sigkill",
		"hup",
		"SIGRTMIN",
		"RTMIN+3",
		"SIGRTMAX-1",
		"SIGRTMAX",
		"99",
		"CLD",
	];
	expect(given.map(parseSignal)).toEqual([9, 9, 9, 9, 1, 34, 37, 63, 64, 99, 17]);
});

for (const text of ["", "0", "-1", "FOO", "SIG", "RTMIN-1", "RTMIN+31", "RTMAX+1", "9x"])
	test(`parseSignal() refuses ${JSON.stringify(text)}`, () => {
		expect(() => parseSignal(text)).toThrow(`invalid signal: ${text}`);
	});

test("signalName() is the inverse where there is a name", () => {
	expect([15, 6, 17, 40].map(signalName)).toEqual(["SIGTERM", "SIGABRT", "SIGCHLD", "40"]);
});
