import type { Digest } from "../../base/digest.ts";
import type { BuildFiles } from "../../core/build/build-directories.ts";
import type { BuildContext, SyncedContext } from "../../core/build/context.ts";

/** A context that lies on the daemon's disk as a whole. Who made it removes it. */
export class DirectoryTree implements BuildContext {
	readonly #files: BuildFiles;
	readonly #digests: ReadonlyMap<string, Digest>;

	constructor(
		readonly key: string,
		readonly directory: string,
		files: BuildFiles,
		digests: ReadonlyMap<string, Digest> = new Map(),
	) {
		this.#files = files;
		this.#digests = digests;
	}

	async readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		return this.#files.readFile(this.directory, path, limitBytes);
	}

	async sync(): Promise<SyncedContext> {
		return {
			directory: this.directory,
			isImmutable: true,
			digestOf: (path) => this.#digests.get(path),
			[Symbol.asyncDispose]: async () => {},
		};
	}
}
