import { readFile } from "node:fs/promises";
import process from "node:process";
import { errnoCode } from "../../base/errors.ts";
import type { ShimDirectory } from "./shim-directory.ts";

/**
 * Kills the process that a dead shim has left, if it still is that process: its start time (proc(5), field 22) must
 * be the one the shim noted. Does nothing when it is gone.
 */
export async function killLeftover(directory: ShimDirectory): Promise<void> {
	const noted = await directory.readPid();
	if (noted === undefined || (await startTime(noted.pid)) !== noted.startTime) return;
	try {
		process.kill(noted.pid, "SIGKILL");
	} catch (error) {
		if (errnoCode(error) !== "ESRCH") throw error;
	}
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
