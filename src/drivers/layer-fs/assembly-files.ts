import { openSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createZstdDecompress } from "node:zlib";
import type { Digest } from "../../base/digest.ts";
import { errnoCode } from "../../base/errors.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import { AssemblyReader, type AssemblyRecord, type FileRange } from "../../core/diff/assembly.ts";
import { encodePath } from "../../core/diff/path-text.ts";
import { O } from "../linux/file-descriptors.ts";
import { RootDirectory } from "../linux/root-directory.ts";

/** An unpacked layer's files, as its re-assembly record names them. */
export class AssemblyFiles implements Disposable {
	readonly #root: RootDirectory;
	readonly #displacedDirectory: string;
	/** Files that a later member replaced were kept by their numbers; few layers have any. */
	readonly #displaced: ReadonlySet<number>;

	constructor(directory: string) {
		this.#root = RootDirectory.open(directory);
		this.#displacedDirectory = join(dirname(directory), "displaced");
		this.#displaced = numbersIn(this.#displacedDirectory);
	}

	/** The caller closes it. @throws ErrnoError */
	open({ number, path }: FileRange): number {
		return this.#displaced.has(number)
			? openSync(join(this.#displacedDirectory, String(number)), "r")
			: this.#root.openFile(encodePath(path), O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
	}

	[Symbol.dispose](): void {
		this.#root.close();
	}
}

/** In their order, some at a time. @throws SystemError when the record is damaged */
export async function* assemblyRecords(content: ContentStore, assembly: Digest): AsyncGenerator<AssemblyRecord[]> {
	const blob = content.stream(assembly);
	const decoder = createZstdDecompress();
	blob.on("error", (error) => decoder.destroy(error));
	blob.pipe(decoder);
	const reader = new AssemblyReader();
	try {
		for await (const piece of decoder) yield reader.push(piece);
		reader.finish();
	} finally {
		blob.destroy();
		decoder.destroy();
	}
}

function numbersIn(directory: string): ReadonlySet<number> {
	try {
		return new Set(readdirSync(directory).map(Number));
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return new Set();
		throw error;
	}
}
