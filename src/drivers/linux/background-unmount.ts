import { spawn } from "node:child_process";
import { unmountAll } from "./mount.ts";

/**
 * Detaches what is mounted at `target`, off the main thread: the last unmount of an overlay writes out the whole file system below it,
 * which takes as long as there is unwritten data. Nothing mounted is success. @throws ErrnoError
 */
export async function unmountInBackground(target: string): Promise<void> {
	await runUnmount(target);
	// Mounted several times over, or the program is missing: here the kernel's own answer counts.
	unmountAll(target);
}

function runUnmount(target: string): Promise<void> {
	return new Promise((resolve) => {
		const child = spawn("umount", ["--lazy", "--internal-only", "--no-canonicalize", "--no-mtab", target], {
			stdio: "ignore",
		});
		child.on("error", () => resolve());
		child.on("close", () => resolve());
	});
}
