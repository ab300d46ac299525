import { expect, test } from "bun:test";
import { parseProcessList, parsePsArguments } from "./process-list.ts";

const OUTPUT = `UID          PID    PPID CMD
root           1       0 /sbin/init splash
root          77       1 sleep 100 200
root           -       - -
root          78       1 other
`;

test("parseProcessList() keeps the container's lines, the command with its spaces, and the threads below a process", () => {
	expect(parseProcessList(OUTPUT, new Set([77]))).toEqual({
		Titles: ["UID", "PID", "PPID", "CMD"],
		Processes: [
			["root", "77", "1", "sleep 100 200"],
			["root", "-", "-", "-"],
		],
	});
});

test("parseProcessList() needs a PID column", () => {
	expect(() => parseProcessList("COMMAND\nsh\n", new Set([1]))).toThrow("Couldn't find PID field in ps output");
});

test("parsePsArguments() splits at white space, and lists everything by default", () => {
	expect(parsePsArguments("")).toEqual(["-ef"]);
	expect(parsePsArguments(" aux  -o pid ")).toEqual(["aux", "-o", "pid"]);
});

test("parsePsArguments() refuses to call another column PID", () => {
	expect(() => parsePsArguments("-o ppid=PID")).toThrow('specifying "ppid=PID" is not allowed');
});
