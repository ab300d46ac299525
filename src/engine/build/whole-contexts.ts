import { Readable } from "node:stream";
import { InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import type { BuildDirectories, BuildFiles } from "../../core/build/build-directories.ts";
import type { RemoteFiles } from "../../core/build/remote-files.ts";
import { type GitSource, gitSource } from "../../core/dockerfile/remote-source.ts";
import type { OwnedContext, WholeContexts } from "./build-sessions.ts";
import { DirectoryTree } from "./directory-context.ts";

export interface ContextArchivesDependencies {
	readonly files: BuildFiles;
	readonly directories: BuildDirectories;
	readonly remotes: RemoteFiles;
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

	async fromUrl(
		url: string,
		{ keepGitDir }: { readonly keepGitDir: boolean },
		signal: AbortSignal,
	): Promise<OwnedContext> {
		const { files, directories, remotes } = this.#deps;
		const git = gitSource(url);
		if (git !== undefined) return await this.#fromRepository(git, url, keepGitDir, signal);
		const { body, contentType } = await remotes.download(url, signal);
		if (contentType !== "text/plain") return await this.fromArchive(body, url, signal);
		// The Dockerfile itself.
		const directory = directories.temporary();
		const remove = () => directories.removeTemporary(directory);
		try {
			await files.saveFile(directory, "Dockerfile", body, { permissions: 0o644, modifiedAt: 0, signal });
			return { context: new DirectoryTree(url, directory, files), [Symbol.asyncDispose]: remove };
		} catch (error) {
			await remove();
			throw error;
		}
	}

	async #fromRepository(git: GitSource, url: string, keepGitDir: boolean, signal: AbortSignal): Promise<OwnedContext> {
		const { files, directories, remotes } = this.#deps;
		const directory = directories.temporary();
		const remove = () => directories.removeTemporary(directory);
		try {
			const commit = await remotes.checkOut(git, directory, { keepGitDir: git.keepGitDir ?? keepGitDir }, signal);
			if (!commit.startsWith(git.checksum ?? ""))
				throw new InvalidParameterError(`digest mismatch for ${url}: expected ${git.checksum}, got ${commit}`);
			const root = git.subdirectory === "" ? directory : files.resolve(directory, git.subdirectory);
			if (root === undefined) throw new NotFoundError(`${url}: there is no directory ${git.subdirectory}`);
			return { context: new DirectoryTree(url, root, files), [Symbol.asyncDispose]: remove };
		} catch (error) {
			await remove();
			throw error;
		}
	}
}
