import { describe, expect, test } from "bun:test";
import { runtimeMessage, startError } from "./start-failure.ts";

const log = (message: string) => `${JSON.stringify({ msg: message, level: "error", time: "2026-01-01T00:00:00Z" })}\n`;

describe("startError()", () => {
	const cases = [
		[
			"executable file `x' not found in $PATH: No such file or directory",
			"not-found",
			'exec: "x": executable file not found in $PATH',
		],
		[
			"executable file `/x` not found in $PATH: No such file or directory",
			"not-found",
			'exec: "/x": stat /x: no such file or directory',
		],
		["open executable: Permission denied", "not-executable", 'exec: "/p": permission denied'],
		["open executable: Operation not permitted", "not-executable", 'exec: "/p": is a directory: permission denied'],
		["open executable: Not a directory", "not-found", 'exec: "/p": stat /p: not a directory: Are you trying to mount'],
		[
			'runc run failed: unable to start container process: exec: "x": executable file not found in $PATH',
			"not-found",
			'crun create failed: unable to start container process: exec: "x"',
		],
		[
			'error mounting "/a" to rootfs: not a directory',
			"not-found",
			"Are you trying to mount a directory onto a file (or vice-versa)?",
		],
		["cannot set limits: Invalid argument", "other", "crun create failed: cannot set limits: Invalid argument"],
	] as const;
	for (const [text, reason, message] of cases)
		test(`understands: ${text}`, () => {
			const error = startError({ kind: "run", runtime: "crun", program: "/p", text: log(text) });
			expect(error.reason).toBe(reason);
			expect(error.message).toContain(message);
			expect(error.message).toStartWith(
				"failed to create task for container: failed to create shim task: OCI runtime create failed: ",
			);
		});

	test("has Docker's words for an exec", () => {
		const text = log('exec failed: unable to start container process: exec: "x": executable file not found in $PATH');
		expect(startError({ kind: "exec", runtime: "runc", program: "x", text }).message).toBe(
			'OCI runtime exec failed: exec failed: unable to start container process: exec: "x": executable file not found in $PATH',
		);
	});

	test("takes the last error of the log, not a warning after it, and plain text as it is", () => {
		const warning = `${JSON.stringify({ msg: "careful", level: "warning" })}\n{"msg":"unfini`;
		expect(runtimeMessage(log("first") + log("second") + warning)).toBe("second");
		expect(runtimeMessage(" plain\n")).toBe("plain");
	});
});
