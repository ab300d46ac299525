/** File systems in files: volumes that cannot grow beyond their size, whatever the host's file system can limit. */
import { open, rmdir } from "node:fs/promises";
import { errnoCode, SystemError } from "../../base/errors.ts";
import { unmountInBackground } from "../linux/background-unmount.ts";
import { mountByProgram } from "../linux/mount-program.ts";

export interface DiskFile {
	readonly path: string;
	/** `ext4`, `xfs` or `btrfs`. */
	readonly type: string;
	readonly sizeBytes: number;
}

const MAKE_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
	// No blocks for root alone: the size is what containers get.
	ext4: ["-q", "-F", "-m", "0"],
	xfs: ["-q", "-f"],
	btrfs: ["-q", "-f"],
};

/** Makes the file, sparse, and the file system in it. @param target an empty directory to mount it at meanwhile. @throws SystemError */
export async function makeDiskFile(disk: DiskFile, target: string): Promise<void> {
	await using file = await open(disk.path, "wx", 0o600);
	await file.truncate(disk.sizeBytes);
	await run([`mkfs.${disk.type}`, ...(MAKE_ARGUMENTS[disk.type] ?? []), disk.path]);
	await mountDiskFile(disk, "", target);
	try {
		// A volume with a directory in it would not be filled from the image.
		await rmdir(`${target}/lost+found`);
	} catch (error) {
		if (errnoCode(error) !== "ENOENT") throw error;
	} finally {
		await unmountInBackground(target);
	}
}

/** By a loop device that goes away with the mount. @param options words of mount(8) */
export async function mountDiskFile({ path, type }: DiskFile, options: string, target: string): Promise<void> {
	const words = options === "" ? "loop" : `loop,${options}`;
	if (!(await mountByProgram({ type, device: path, options: words }, target)))
		throw new SystemError("there is no mount program on this machine");
}

async function run(argv: readonly string[]): Promise<void> {
	const [program = ""] = argv;
	try {
		const child = Bun.spawn([...argv], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
		const [message, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
		if (status !== 0) throw new SystemError(`${program}: ${message.trim()}`);
	} catch (cause) {
		if (errnoCode(cause) !== "ENOENT") throw cause;
		throw new SystemError(`${program} is not installed on this machine`, { cause });
	}
}
