import { errnoCode } from "../../base/errors.ts";
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

/** Whether it was there and succeeded is seen afterwards. */
async function runUnmount(target: string): Promise<void> {
	try {
		await Bun.spawn(["umount", "--lazy", "--internal-only", "--no-canonicalize", "--no-mtab", target], {
			stdio: ["ignore", "ignore", "ignore"],
		}).exited;
	} catch (error) {
		if (errnoCode(error) !== "ENOENT") throw error; // no such program
	}
}
