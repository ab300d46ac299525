/** Digests of files' contents, read once for each state of a file. */
import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { closeDescriptor, O } from "../linux/file-descriptors.ts";
import { type FileStatus, statusAt } from "../linux/file-status.ts";
import type { RootDirectory } from "../linux/root-directory.ts";

interface Known {
	readonly sizeBytes: number;
	readonly modifiedNs: bigint;
	readonly changedNs: bigint;
	readonly hex: string;
}

const ENTRY_LIMIT = 100_000;
const BUFFER_BYTES = 1 << 18;
/** A file changed so short a time ago may change again within the same tick of the file system's clock. */
const SETTLED_NS = 20_000_000n;

export class ContentDigests {
	readonly #known = new Map<string, Known>();
	readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);

	/** sha256 in hex. @param pause called between pieces of big files. @throws ErrnoError */
	async of(root: RootDirectory, path: Uint8Array, status: FileStatus, pause: () => Promise<void>): Promise<string> {
		const key = `${status.device} ${status.inode}`;
		const known = this.#known.get(key);
		if (known !== undefined && isSame(known, status)) return known.hex;
		const fd = root.openFile(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
		try {
			const opened = statusAt(fd, "");
			const hash = createHash("sha256");
			for (let offset = 0; ; ) {
				const count = readSync(fd, this.#buffer, 0, BUFFER_BYTES, offset);
				if (count === 0) break;
				hash.update(this.#buffer.subarray(0, count));
				offset += count;
				if (count === BUFFER_BYTES) await pause();
			}
			const hex = hash.digest("hex");
			this.#remember(key, opened, hex);
			return hex;
		} finally {
			closeDescriptor(fd);
		}
	}

	#remember(key: string, status: FileStatus, hex: string): void {
		if (BigInt(Date.now()) * 1_000_000n - status.changedNs < SETTLED_NS) return;
		const { sizeBytes, modifiedNs, changedNs } = status;
		this.#known.delete(key);
		this.#known.set(key, { sizeBytes, modifiedNs, changedNs, hex });
		if (this.#known.size <= ENTRY_LIMIT) return;
		const [oldest] = this.#known.keys();
		if (oldest !== undefined) this.#known.delete(oldest);
	}
}

function isSame(known: Known, status: FileStatus): boolean {
	return (
		known.sizeBytes === status.sizeBytes &&
		known.modifiedNs === status.modifiedNs &&
		known.changedNs === status.changedNs
	);
}
