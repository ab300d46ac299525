/** A file system of its own in a file, for what the machine's own cannot do. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, runCommand } from "./commands.ts";

export interface LoopOptions {
	readonly type: "btrfs" | "ext4" | "xfs";
	readonly sizeBytes?: number;
	readonly makeArguments?: readonly string[];
	readonly mountOptions?: readonly string[];
}

const DEFAULT_SIZE_BYTES = 256 * 1024 ** 2;

export class LoopFileSystem implements AsyncDisposable {
	private constructor(
		private readonly folder: string,
		/** Where it is mounted. */
		readonly path: string,
	) {}

	/** @throws Error when the machine has no program for it, or its kernel does not know it */
	static async make(options: LoopOptions): Promise<LoopFileSystem> {
		const folder = mkdtempSync(join(tmpdir(), "gantry-loop-"));
		const [image, path] = [join(folder, "image"), join(folder, "mount")];
		writeFileSync(image, "");
		truncateSync(image, options.sizeBytes ?? DEFAULT_SIZE_BYTES);
		mkdirSync(path);
		try {
			await mustRun([`mkfs.${options.type}`, "-q", ...(options.makeArguments ?? []), image]);
			await mustRun(["mount", "-o", ["loop", ...(options.mountOptions ?? [])].join(","), image, path]);
		} catch (error) {
			rmSync(folder, { recursive: true });
			throw error;
		}
		return new LoopFileSystem(folder, path);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await runCommand(["umount", "-R", this.path]);
		rmSync(this.folder, { recursive: true, force: true });
	}
}

/** Why a test of it cannot run here, undefined when it can. */
export function missingProgram(type: LoopOptions["type"]): string | undefined {
	const found = (process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, `mkfs.${type}`)));
	return found ? undefined : `mkfs.${type} is not installed`;
}
