import { type Digest, isDigest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { BuildDirectories, BuildFiles } from "../../core/build/build-directories.ts";
import type { RemoteFiles } from "../../core/build/remote-files.ts";
import { type GitSource, gitSource } from "../../core/dockerfile/remote-source.ts";

export interface RemoteSourcesDependencies {
	readonly remotes: RemoteFiles;
	readonly files: BuildFiles;
	readonly directories: BuildDirectories;
}

/** What was fetched, as a tree with one source in it. */
export interface FetchedTree {
	readonly root: string;
	/** Relative to the root. */
	readonly source: string;
}

const FILE_MODE = 0o600;

/** What the ADD instructions of one build fetch: each once. */
export class RemoteSources implements AsyncDisposable {
	readonly #deps: RemoteSourcesDependencies;
	readonly #fetched = new Map<string, Promise<FetchedTree>>();
	readonly #commits = new Map<string, Promise<string>>();
	readonly #made: string[] = [];

	constructor(deps: RemoteSourcesDependencies) {
		this.#deps = deps;
	}

	/** What a source is, where that can be known without fetching it. */
	async definition(
		source: string,
		checksum: string | undefined,
		keepGitDir: boolean,
		signal: AbortSignal,
	): Promise<string | undefined> {
		const git = gitSource(source);
		if (git === undefined) return checksum === undefined ? undefined : `http ${source} ${checkedDigest(checksum)}`;
		const commit = await this.#commit(git, source, signal);
		checkCommit(source, commit, checksum ?? git.checksum);
		return `git ${git.url} ${commit} ${git.subdirectory} ${git.keepGitDir ?? keepGitDir}${git.submodules === false ? " alone" : ""}`;
	}

	/** @throws NotFoundError, UnavailableError, InvalidParameterError for another checksum */
	fetch(source: string, checksum: string | undefined, keepGitDir: boolean, signal: AbortSignal): Promise<FetchedTree> {
		const key = `${keepGitDir} ${checksum ?? ""} ${source}`;
		const git = gitSource(source);
		const fetched =
			this.#fetched.get(key) ??
			(git === undefined
				? this.#file(source, checksum, signal)
				: this.#repository(git, source, checksum, keepGitDir, signal));
		this.#fetched.set(key, fetched);
		return fetched;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.allSettled(this.#fetched.values());
		for (const directory of this.#made.splice(0)) await this.#deps.directories.removeTemporary(directory);
	}

	async #file(url: string, checksum: string | undefined, signal: AbortSignal): Promise<FetchedTree> {
		const { remotes, files } = this.#deps;
		const wanted = checksum === undefined ? undefined : checkedDigest(checksum);
		const root = this.#directory();
		const { name, modifiedAt = 0, body } = await remotes.download(url, signal);
		const digest = await files.saveFile(root, name, body, { permissions: FILE_MODE, modifiedAt, signal });
		if (wanted !== undefined && digest !== wanted)
			throw new InvalidParameterError(`digest mismatch for ${url}: expected ${wanted}, got ${digest}`);
		// A name, whatever is in it: no pattern.
		return { root, source: name.replace(/[*?[\]\\]/g, "\\$&") };
	}

	async #repository(
		git: GitSource,
		source: string,
		checksum: string | undefined,
		keepGitDir: boolean,
		signal: AbortSignal,
	): Promise<FetchedTree> {
		const root = this.#directory();
		const commit = await this.#commit(git, source, signal);
		checkCommit(source, commit, checksum ?? git.checksum);
		const options = { keepGitDir: git.keepGitDir ?? keepGitDir };
		await this.#deps.remotes.checkOut({ ...git, ref: commit }, root, options, signal).catch((error: unknown) => {
			signal.throwIfAborted();
			// Some servers give out no single commits.
			if (git.ref === commit) throw error;
			return this.#deps.remotes.checkOut(git, root, options, signal);
		});
		return { root, source: git.subdirectory === "" ? "." : git.subdirectory };
	}

	#commit(git: GitSource, source: string, signal: AbortSignal): Promise<string> {
		const commit = this.#commits.get(source) ?? this.#deps.remotes.commitOf(git, signal);
		this.#commits.set(source, commit);
		return commit;
	}

	#directory(): string {
		const directory = this.#deps.directories.temporary();
		this.#made.push(directory);
		return directory;
	}
}

function checkedDigest(checksum: string): Digest {
	if (!isDigest(checksum)) throw new InvalidParameterError(`invalid checksum: ${checksum}`);
	return checksum;
}

/** The checksum of a repository is the beginning of its commit's ID. */
function checkCommit(source: string, commit: string, checksum: string | undefined): void {
	if (checksum !== undefined && !commit.startsWith(checksum))
		throw new InvalidParameterError(`digest mismatch for ${source}: expected ${checksum}, got ${commit}`);
}
