import { describe, expect, test } from "bun:test";
import { parseExitFile, parseMessage, parseState } from "./shim-protocol.ts";

describe("shim protocol", () => {
	test("parseState() reads a running process and passes unknown fields over", () => {
		const line = "state=running pid=42 code=0 signal=0 oom=0 finished=0 dropped=7 later=x";
		expect(parseState(line)).toEqual({ phase: "running", pid: 42, droppedLogBytes: 7 });
	});

	test("parseState() gives the exit of an ended process", () => {
		expect(parseState("state=exited pid=42 code=137 signal=9 oom=1 finished=1700000000000 dropped=0").exit).toEqual({
			exitCode: 137,
			signal: 9,
			oomKilled: true,
			finishedAt: 1700000000000,
		});
	});

	test("parseExitFile() leaves the signal out when there was none and refuses half a file", () => {
		expect(parseExitFile("version=1\ncode=3\nsignal=0\noom=0\nfinished=5\n")).toEqual({
			exitCode: 3,
			oomKilled: false,
			finishedAt: 5,
		});
		expect(() => parseExitFile("version=1\nco")).toThrow("Unreadable exit file");
	});

	const messages = [
		["12 ok", { kind: "reply", number: 12, ok: true, text: "" }],
		["3 error ESRCH No such process", { kind: "reply", number: 3, ok: false, text: "ESRCH No such process" }],
		["event rotated", { kind: "event", name: "rotated", text: "" }],
		[String.raw`event failed a\nb\\n`, { kind: "event", name: "failed", text: "a\nb\\n" }],
	] as const;
	for (const [line, message] of messages)
		test(`parseMessage() reads ${line}`, () => {
			expect(parseMessage(line)).toEqual(message);
		});

	for (const line of ["", "hello 1 nonsense", "1", "garbage in"])
		test(`parseMessage() refuses ${JSON.stringify(line)}`, () => {
			expect(() => parseMessage(line)).toThrow("Monitor sent an unreadable");
		});
});
