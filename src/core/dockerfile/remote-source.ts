/** Sources of ADD that are not in a context. */

export interface GitSource {
	/** What git clones. */
	readonly url: string;
	/** Branch, tag or commit; empty: the default branch. */
	readonly ref: string;
	/** Directory in the repository; empty: all of it. */
	readonly subdirectory: string;
}

export function isRemoteSource(source: string): boolean {
	return /^https?:\/\//.test(source) || gitSource(source) !== undefined;
}

/**
 * `https://host/repo.git#ref:dir`, `git://…`, `ssh://…`, `git@host:path`. Over HTTP only what ends in `.git` is a repository; all else is a
 * file.
 */
export function gitSource(source: string): GitSource | undefined {
	const [place = "", fragment = ""] = source.split("#", 2);
	const isGit =
		/^(git|ssh):\/\//.test(place) ||
		/^[a-zA-Z0-9_.-]+@[a-zA-Z0-9_.-]+:(?!\/\/)\S+$/.test(place) ||
		/^https?:\/\/[^?]+\.git\/?$/.test(place) ||
		/^https?:\/\/github\.com\/[^/]+\/[^/]+\/?$/.test(place);
	if (!isGit) return undefined;
	const colon = fragment.indexOf(":");
	const ref = colon < 0 ? fragment : fragment.slice(0, colon);
	return { url: place, ref, subdirectory: colon < 0 ? "" : fragment.slice(colon + 1) };
}
