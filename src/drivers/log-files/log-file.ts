import { closeSync, createReadStream, createWriteStream, fstatSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { errnoCode, SystemError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";

/** An open log file. It stays readable when it is rotated away or deleted. */
export class LogFile {
	readonly #path: string;
	#isCompressed: boolean;
	#fd: number;
	/** Of the file itself, also when what is read is its decompressed copy. */
	readonly inode: number;

	private constructor(path: string, fd: number, inode: number) {
		this.#path = path;
		this.#fd = fd;
		this.inode = inode;
		this.#isCompressed = path.endsWith(".gz");
	}

	/** Undefined when there is no such file. @throws SystemError */
	static open(path: string): LogFile | undefined {
		try {
			const fd = openSync(path, "r");
			return new LogFile(path, fd, fstatSync(fd).ino);
		} catch (cause) {
			if (errnoCode(cause) === "ENOENT") return undefined;
			throw new SystemError(`cannot open the log ${path}`, { cause });
		}
	}

	/** Puts a decompressed copy, without a name, in the place of a gzipped file. Idempotent. */
	async decompress(): Promise<void> {
		if (!this.#isCompressed) return;
		this.#isCompressed = false;
		const copyPath = join(tmpdir(), `gantry-log-${newId()}`);
		const copy = openSync(copyPath, "wx+", 0o600);
		unlinkSync(copyPath);
		const compressed = this.#fd;
		this.#fd = copy;
		try {
			await pipeline(
				createReadStream("", { fd: compressed, autoClose: false, start: 0 }),
				createGunzip(),
				createWriteStream("", { fd: copy, autoClose: false, start: 0 }),
			);
		} catch (cause) {
			throw new SystemError(`cannot decompress the log ${this.#path}`, { cause });
		} finally {
			closeSync(compressed);
		}
	}

	sizeBytes(): number {
		return fstatSync(this.#fd).size;
	}

	/** Reads at most `length` bytes at `position` into `target`; 0 at the end. @throws SystemError */
	read(target: Buffer, offset: number, length: number, position: number): number {
		try {
			return readSync(this.#fd, target, offset, length, position);
		} catch (cause) {
			throw new SystemError(`cannot read the log ${this.#path}`, { cause });
		}
	}

	close(): void {
		closeSync(this.#fd);
	}
}

/**
 * A log's files, oldest first, the current one last. Files of a rotation that happens meanwhile come once.
 * @throws SystemError
 */
export function openLogFiles(path: string): LogFile[] {
	const files: LogFile[] = [];
	const seen = new Set<number>();
	const add = (file: LogFile | undefined): boolean => {
		if (file === undefined) return false;
		if (seen.has(file.inode)) file.close();
		else files.unshift(file);
		seen.add(file.inode);
		return true;
	};
	try {
		add(LogFile.open(path));
		for (let number = 1; add(LogFile.open(`${path}.${number}`) ?? LogFile.open(`${path}.${number}.gz`)); number++);
	} catch (error) {
		for (const file of files) file.close();
		throw error;
	}
	return files;
}
