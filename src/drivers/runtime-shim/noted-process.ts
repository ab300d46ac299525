import { readFile } from "node:fs/promises";
import process from "node:process";
import { errnoCode } from "../../base/errors.ts";
import type { ShimDirectory } from "./shim-directory.ts";

/** Kills the process that a dead shim has left. Does nothing when it is gone. */
export async function killLeftover(directory: ShimDirectory): Promise<void> {
	const pid = await findProcess(directory);
	if (pid === undefined) return;
	try {
		process.kill(pid, "SIGKILL");
	} catch (error) {
		if (errnoCode(error) !== "ESRCH") throw error;
	}
}

/**
 * Pid of the shim's process, if it still is that process: its start time (proc(5), field 22) must be the one the shim
 * noted. Undefined when it is gone.
 */
export async function findProcess(directory: ShimDirectory): Promise<number | undefined> {
	const noted = await directory.readPid();
	return noted !== undefined && (await startTime(noted.pid)) === noted.startTime ? noted.pid : undefined;
}

async function startTime(pid: number): Promise<string | undefined> {
	try {
		const text = await readFile(`/proc/${pid}/stat`, "utf8");
		return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
	} catch (error) {
		if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ESRCH") return undefined;
		throw error;
	}
}
