/**
 * A registry's files as files under one directory. `tmp/` beside the layout (`core/registry/paths.ts`) holds small files until
 * they are complete; what a dead process left there is removed at the next start.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
	ConflictError,
	errnoCode,
	errorMessage,
	InvalidParameterError,
	NotFoundError,
	SystemError,
} from "../../base/errors.ts";
import type { ByteRange, FileInfo, RegistryStorage } from "../../core/registry/storage.ts";
import { FsAppendWriter } from "./fs-append-writer.ts";

/** How often a directory may vanish between its making and its use, as the last file in it is deleted. */
const RACE_LIMIT = 20;

export class FsRegistryStorage implements RegistryStorage {
	readonly readsUnfinished = true;
	readonly #root: string;
	readonly #temporary: string;

	/** @param root created when missing */
	constructor(root: string) {
		this.#root = root;
		this.#temporary = join(root, "tmp");
		mkdirSync(this.#temporary, { recursive: true, mode: 0o700 });
	}

	/** Removes what a dead process left half-written. Only while nobody else serves the root. */
	async cleanUp(): Promise<void> {
		for (const name of await readdir(this.#temporary)) await rm(join(this.#temporary, name), { force: true });
	}

	async read(path: string, limitBytes: number): Promise<Uint8Array> {
		return await this.#translate("read", path, async () => {
			const file = await open(this.#pathOf(path), "r");
			try {
				const { size } = await file.stat();
				if (size > limitBytes) throw new SystemError(`${path} has ${size} bytes, limit is ${limitBytes}`);
				return await file.readFile();
			} finally {
				await file.close();
			}
		});
	}

	async write(path: string, bytes: Uint8Array): Promise<void> {
		await this.#translate("write", path, async () => {
			const temporary = join(this.#temporary, randomBytes(12).toString("hex"));
			try {
				const file = await open(temporary, "wx", 0o600);
				try {
					await file.writeFile(bytes);
					await file.datasync();
				} finally {
					await file.close();
				}
				await this.#rename(temporary, this.#pathOf(path));
			} catch (error) {
				await rm(temporary, { force: true });
				throw error;
			}
		});
	}

	async open(path: string, range?: ByteRange): Promise<Blob> {
		await this.stat(path);
		const file = Bun.file(this.#pathOf(path));
		return range === undefined ? file : file.slice(range.start, range.end);
	}

	async append(path: string, offset: number): Promise<FsAppendWriter> {
		return await this.#translate("append to", path, async () => {
			const target = this.#pathOf(path);
			const file = await (offset === 0 ? this.#create(target) : open(target, "r+"));
			try {
				const { size } = await file.stat();
				if (size < offset) throw new ConflictError(`${path} has ${size} bytes, fewer than ${offset}`);
				if (size > offset) await file.truncate(offset);
				return new FsAppendWriter(file, path, offset);
			} catch (error) {
				await file.close();
				throw error;
			}
		});
	}

	async stat(path: string): Promise<FileInfo> {
		return await this.#translate("look for", path, async () => {
			const found = await stat(this.#pathOf(path));
			const isDirectory = found.isDirectory();
			return { sizeBytes: isDirectory ? 0 : found.size, modifiedMs: found.mtimeMs, isDirectory };
		});
	}

	async list(path: string): Promise<string[]> {
		try {
			return (await readdir(this.#pathOf(path))).sort();
		} catch (error) {
			if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return [];
			throw storageError("list", path, error);
		}
	}

	async move(from: string, to: string): Promise<void> {
		await this.#translate("move", from, async () => {
			const source = this.#pathOf(from);
			await stat(source);
			await this.#rename(source, this.#pathOf(to));
			await this.#prune(dirname(source));
		});
	}

	async delete(path: string): Promise<void> {
		await this.#translate("delete", path, async () => {
			const target = this.#pathOf(path);
			await rm(target, { recursive: true, force: true });
			await this.#prune(dirname(target));
		});
	}

	async touch(path: string): Promise<void> {
		await this.#translate("touch", path, async () => {
			const now = new Date();
			await utimes(this.#pathOf(path), now, now);
		});
	}

	async close(): Promise<void> {}

	/** @throws InvalidParameterError for a path that `pathFor` would not make */
	#pathOf(path: string): string {
		const isPlain = path !== "" && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
		if (!isPlain || path.includes("\0"))
			throw new InvalidParameterError(`invalid storage path: ${JSON.stringify(path)}`);
		return join(this.#root, path);
	}

	async #create(target: string): Promise<FileHandle> {
		return await this.#inDirectoryOf(target, () => open(target, "a+", 0o600).then(reopenForWriting(target)));
	}

	async #rename(source: string, target: string): Promise<void> {
		await this.#inDirectoryOf(target, async () => {
			await rename(source, target);
			await syncDirectory(dirname(target));
		});
	}

	/** Makes the directory and works in it, again when it vanished in between. */
	async #inDirectoryOf<T>(target: string, work: () => Promise<T>): Promise<T> {
		const directory = dirname(target);
		for (let attempt = 1; ; attempt++) {
			try {
				const firstMade = await mkdir(directory, { recursive: true, mode: 0o700 });
				// New directories are entries too, and must survive as the file does.
				if (firstMade !== undefined)
					for (let made = directory; made.length >= firstMade.length; made = dirname(made))
						await syncDirectory(dirname(made));
				return await work();
			} catch (error) {
				if (errnoCode(error) !== "ENOENT" || attempt >= RACE_LIMIT) throw error;
			}
		}
	}

	/** Removes directories that became empty, up to the root's own. */
	async #prune(directory: string): Promise<void> {
		for (let current = directory; dirname(current).length > this.#root.length; current = dirname(current)) {
			try {
				await rmdir(current);
			} catch (error) {
				// Still in use, or somebody else was quicker: both are fine.
				if (["ENOTEMPTY", "ENOENT", "EEXIST"].includes(errnoCode(error) ?? "")) return;
				throw error;
			}
		}
	}

	async #translate<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			throw storageError(action, path, error);
		}
	}
}

/** "a+" creates without cutting, but writes at the end only; positions need "r+". */
function reopenForWriting(target: string): (created: FileHandle) => Promise<FileHandle> {
	return async (created) => {
		await created.close();
		return await open(target, "r+");
	};
}

function storageError(action: string, path: string, cause: unknown): unknown {
	const code = errnoCode(cause);
	if (code === "ENOENT" || code === "ENOTDIR") return new NotFoundError(`registry storage: no ${path}`, { cause });
	if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return cause;
	return new SystemError(`registry storage: failed to ${action} ${path}: ${errorMessage(cause)}`, { cause });
}

async function syncDirectory(path: string): Promise<void> {
	const directory = await open(path, "r");
	try {
		await directory.sync();
	} finally {
		await directory.close();
	}
}
