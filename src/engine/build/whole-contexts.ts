import { Readable } from "node:stream";
import { NotImplementedError } from "../../base/errors.ts";
import type { BuildDirectories, BuildFiles } from "../../core/build/build-directories.ts";
import { gitSource } from "../../core/build/remote-source.ts";
import type { OwnedContext, WholeContexts } from "./build-sessions.ts";
import { DirectoryTree } from "./directory-context.ts";

export interface ContextArchivesDependencies {
	readonly files: BuildFiles;
	readonly directories: BuildDirectories;
	/** A URL's bytes. @throws NotFoundError, UnavailableError */
	readonly download: (url: string, signal: AbortSignal) => Promise<Readable>;
}

/** Contexts that come as one piece: an archive in a request's body, or from a URL. */
export class ContextArchives implements WholeContexts {
	readonly #deps: ContextArchivesDependencies;

	constructor(deps: ContextArchivesDependencies) {
		this.#deps = deps;
	}

	async fromArchive(
		archive: AsyncIterable<Uint8Array> | Readable,
		name: string,
		signal: AbortSignal,
	): Promise<OwnedContext> {
		const { files, directories } = this.#deps;
		const directory = directories.temporary();
		const remove = () => directories.removeTemporary(directory);
		try {
			const stream = archive instanceof Readable ? archive : Readable.from(archive, { objectMode: false });
			const digests = await files.unpack(stream, directory, signal);
			return { context: new DirectoryTree(name, directory, files, digests), [Symbol.asyncDispose]: remove };
		} catch (error) {
			await remove();
			throw error;
		}
	}

	async fromUrl(url: string, signal: AbortSignal): Promise<OwnedContext> {
		if (gitSource(url) !== undefined)
			throw new NotImplementedError(`git repositories as build contexts are not supported yet: ${url}`);
		return await this.fromArchive(await this.#deps.download(url, signal), url, signal);
	}
}
