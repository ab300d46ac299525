/**
 * Copies of OCI runtimes in memory that nothing can write to. crun protects itself from the containers it enters
 * (CVE-2019-5736) by making such a copy of itself and starting again from it, each time; started from one, it sees that
 * and goes on at once.
 */
import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { closeDescriptor, openSealedMemoryFile } from "../linux/file-descriptors.ts";

/** Programs that know such a copy when they are started from one, and do not look for files beside themselves. */
const SELF_COPYING = new Set(["crun"]);
const ELF_MAGIC = "\x7fELF";

interface SealedCopy {
	/** Of the file it was made from: an upgrade is noticed. */
	readonly identity: string;
	/** Undefined when it could not be made. */
	readonly fd: number | undefined;
}

export class SealedPrograms implements Disposable {
	readonly #copies = new Map<string, SealedCopy>();

	constructor(private readonly logger: Logger) {}

	/**
	 * The path of a copy of the program; it leads nowhere once this process has ended.
	 * @returns undefined for programs that would not profit, and where there can be no copy
	 */
	pathOf(programPath: string): string | undefined {
		if (!SELF_COPYING.has(basename(programPath))) return undefined;
		const status = statSync(programPath, { throwIfNoEntry: false });
		if (status === undefined) return undefined;
		const identity = `${status.dev} ${status.ino} ${status.size} ${status.mtimeMs} ${status.ctimeMs}`;
		let copy = this.#copies.get(programPath);
		if (copy?.identity !== identity) {
			if (copy?.fd !== undefined) closeDescriptor(copy.fd);
			copy = { identity, fd: this.#copy(programPath) };
			this.#copies.set(programPath, copy);
		}
		return copy.fd === undefined ? undefined : `/proc/${process.pid}/fd/${copy.fd}`;
	}

	#copy(programPath: string): number | undefined {
		try {
			const content = readFileSync(programPath);
			// A script's interpreter could not open it any more.
			if (content.toString("latin1", 0, ELF_MAGIC.length) !== ELF_MAGIC) return undefined;
			return openSealedMemoryFile(basename(programPath), content);
		} catch (error) {
			this.logger.warn("OCI runtime is not kept in memory", { runtime: programPath, error: errorMessage(error) });
			return undefined;
		}
	}

	[Symbol.dispose](): void {
		for (const { fd } of this.#copies.values()) if (fd !== undefined) closeDescriptor(fd);
		this.#copies.clear();
	}
}
