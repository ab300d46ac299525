import { statfsSync } from "node:fs";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { DiskFacts, DiskSpace } from "../../core/gc/consumer.ts";

/** statfs(2) of a directory. */
export class FileSystemSpace implements DiskSpace {
	constructor(private readonly path: string) {}

	measure(): DiskFacts {
		try {
			const { bsize, blocks, bavail } = statfsSync(this.path);
			return { totalBytes: blocks * bsize, availableBytes: bavail * bsize };
		} catch (cause) {
			throw new SystemError(`failed to measure the disk of ${this.path}: ${errorMessage(cause)}`, { cause });
		}
	}
}
