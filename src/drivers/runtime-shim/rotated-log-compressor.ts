import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** Asks the shim, which alone renames log files, to put the gzipped `name` in the place of the file with `inode`. */
export type ReplaceRotated = (inode: bigint, name: string) => Promise<void>;

/**
 * Gzips the rotated files of one log. The shim may rotate again at any moment, so the file is known by its inode and
 * the shim does the exchange.
 */
export class RotatedLogCompressor {
	readonly #logPath: string;
	readonly #replace: ReplaceRotated;
	#isRunning = false;
	#isAsked = false;

	constructor(logPath: string, replace: ReplaceRotated) {
		this.#logPath = logPath;
		this.#replace = replace;
	}

	/** Compresses what is not yet compressed; a call while one runs makes that one look again. */
	async run(): Promise<void> {
		this.#isAsked = true;
		if (this.#isRunning) return;
		this.#isRunning = true;
		try {
			while (this.#isAsked) {
				this.#isAsked = false;
				for (const path of await this.#plainRotated()) await this.#compress(path);
			}
		} finally {
			this.#isRunning = false;
		}
	}

	/** Oldest first, so that a file about to be rotated away is not worth much work. */
	async #plainRotated(): Promise<string[]> {
		const prefix = `${basename(this.#logPath)}.`;
		const numbers = (await readdir(dirname(this.#logPath)))
			.filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
			.map((name) => Number(name.slice(prefix.length)));
		return numbers.sort((a, b) => b - a).map((number) => `${this.#logPath}.${number}`);
	}

	async #compress(path: string): Promise<void> {
		const { ino: inode } = await stat(path, { bigint: true });
		const name = `.rotated-${inode}.gz`;
		const target = join(dirname(path), name);
		try {
			await pipeline(createReadStream(path), createGzip(), createWriteStream(target, { mode: 0o640 }));
			await this.#replace(inode, name);
		} catch (error) {
			await rm(target, { force: true });
			throw error;
		}
	}
}
