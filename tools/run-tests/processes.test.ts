import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { runTestProcess } from "./processes.ts";

const NEVER = new AbortController().signal;
const MINUTE_MS = 60_000;

function shell(script: string, timeLimitMs = MINUTE_MS) {
	return { argv: ["/bin/sh", "-c", script], cwd: "/", timeLimitMs, capture: true };
}

/** A killed orphan may stay a zombie until init reaps it: dead all the same, and without a command line. */
function isAlive(pid: number): boolean {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
	} catch {
		return false; // ENOENT: reaped
	}
}

/** SIGKILL is sent, not waited for: no process can wait for another's orphan. */
async function endsSoon(pid: number): Promise<boolean> {
	for (let attempt = 0; attempt < 250 && isAlive(pid); attempt++) await Bun.sleep(20);
	return !isAlive(pid);
}

test("runTestProcess() gives code and output", async () => {
	const result = await runTestProcess(shell("printf 3; exit 3"), NEVER);
	expect(result).toEqual({ code: 3, output: "3", timedOut: false, leftBehind: [] });
});

test("runTestProcess() ends and names a process that left the group and outlived its parent", async () => {
	// A process in the middle of an execve() has no environment to be found by.
	const started = "until [ $(readlink /proc/$!/exe) = $(readlink -f $(command -v sleep)) ]; do :; done";
	const result = await runTestProcess(shell(`setsid sleep 987 >/dev/null & ${started}; echo $!`), NEVER);
	expect(result.leftBehind).toEqual([expect.stringMatching(/^\d+ sleep 987$/)]);
	expect(await endsSoon(Number(result.leftBehind[0]?.split(" ")[0]))).toBe(true);
});

test("runTestProcess() stops the whole group at its time limit", async () => {
	const result = await runTestProcess(shell("sleep 987 & echo $!; wait", 200), NEVER);
	expect(result.timedOut).toBe(true);
	expect(result.code).toBe(143);
	expect(await endsSoon(Number(result.output))).toBe(true);
});

test("runTestProcess() ends the process and rejects when the run is aborted", async () => {
	const abort = new AbortController();
	const run = runTestProcess(shell("sleep 987"), abort.signal);
	abort.abort(new Error("stopped"));
	await expect(run).rejects.toThrow("stopped");
	await expect(runTestProcess(shell("true"), abort.signal)).rejects.toThrow("stopped");
});
