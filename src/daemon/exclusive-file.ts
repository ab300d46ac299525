/** Files that at most one living daemon holds: the pid file and the lock of the data root. */
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { errnoCode, errorMessage, SystemError, UnavailableError } from "../base/errors.ts";
import { tryLockExclusive } from "../drivers/linux/file-descriptors.ts";

/**
 * A file with this process's ID, locked while this object lives. The lock dies with the process, so a file left behind by a
 * dead daemon, or one whose ID now belongs to something else, is simply taken over.
 */
export class ExclusiveFile implements Disposable {
	private constructor(
		private readonly path: string,
		private readonly fd: number,
		private readonly removeOnClose: boolean,
	) {}

	/**
	 * @param options.heldMessage what to say when another daemon has it, given its process ID
	 * @throws UnavailableError when another living process holds it, SystemError
	 */
	static take(
		path: string,
		options: { readonly heldMessage: (holder: string) => string; readonly removeOnClose: boolean },
	): ExclusiveFile {
		const fd = openFile(path);
		try {
			if (!tryLockExclusive(fd)) throw new UnavailableError(options.heldMessage(holderOf(path)));
			// In this order it needs no space: the disk may be full.
			writeSync(fd, `${process.pid}`, 0);
			ftruncateSync(fd, Buffer.byteLength(`${process.pid}`));
			return new ExclusiveFile(path, fd, options.removeOnClose);
		} catch (error) {
			closeSync(fd);
			throw error;
		}
	}

	[Symbol.dispose](): void {
		if (this.removeOnClose) rmSync(this.path, { force: true });
		closeSync(this.fd);
	}
}

function openFile(path: string): number {
	try {
		mkdirSync(dirname(path), { recursive: true });
		// Node's descriptors are closed on exec: no child can hold the lock after us.
		return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
	} catch (cause) {
		throw new SystemError(`cannot open ${path}: ${errorMessage(cause)}`, { cause });
	}
}

function holderOf(path: string): string {
	try {
		return readFileSync(path, "utf8").trim();
	} catch (error) {
		return errnoCode(error) ?? "unknown";
	}
}
