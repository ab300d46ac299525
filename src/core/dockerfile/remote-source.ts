/** Sources of ADD that are not in a context. */
import { InvalidParameterError } from "../../base/errors.ts";
import { parseBoolean } from "./directives.ts";

const QUERY_KEYS = ["ref", "branch", "tag", "commit", "checksum", "subdir", "keep-git-dir", "submodules"];

export interface GitSource {
	/** What git clones. */
	readonly url: string;
	/** Branch, tag or commit; empty: the default branch. */
	readonly ref: string;
	/** Directory in the repository; empty: all of it. */
	readonly subdirectory: string;
	/** What the commit's ID has to begin with. */
	readonly checksum?: string;
	readonly keepGitDir?: boolean;
	/** Submodules are fetched unless this is false. */
	readonly submodules?: boolean;
}

export function isRemoteSource(source: string): boolean {
	return /^https?:\/\//.test(source) || gitSource(source) !== undefined;
}

/**
 * `https://host/repo.git#ref:dir`, `git://…`, `ssh://…`, `git@host:path`. Over HTTP only what ends in `.git` is a repository; all else is a
 * file. In place of the fragment there may be a query: `?branch=…` (`tag`, `ref`, `commit`) `&subdir=…&keep-git-dir=…&submodules=…`.
 * @throws InvalidParameterError for a query that is none
 */
export function gitSource(source: string): GitSource | undefined {
	const [address = "", fragment = ""] = source.split("#", 2);
	const [place = "", query] = address.split(/\?(.*)/s, 2);
	const isGit =
		/^(git|ssh):\/\//.test(place) ||
		/^[a-zA-Z0-9_.-]+@[a-zA-Z0-9_.-]+:(?!\/\/)\S+$/.test(place) ||
		/^https?:\/\/[^?]+\.git\/?$/.test(place) ||
		/^https?:\/\/github\.com\/[^/]+\/[^/]+\/?$/.test(place);
	if (!isGit) return undefined;
	const colon = fragment.indexOf(":");
	const ref = colon < 0 ? fragment : fragment.slice(0, colon);
	const plain = { url: place, ref, subdirectory: colon < 0 ? "" : fragment.slice(colon + 1) };
	return query === undefined ? plain : withQuery(plain, new URLSearchParams(query));
}

function withQuery(plain: GitSource, query: URLSearchParams): GitSource {
	const values = new Map<string, string>();
	for (const [key, value] of query) {
		if (!QUERY_KEYS.includes(key)) throw new InvalidParameterError(`unexpected query "${key}"`);
		if (values.has(key)) throw new InvalidParameterError(`query "${key}" has several values`);
		values.set(key, value);
	}
	const refs = [
		plain.ref,
		values.get("ref") ?? "",
		prefixed("refs/heads/", values.get("branch")),
		prefixed("refs/tags/", values.get("tag")),
	].filter((ref) => ref !== "");
	if (refs.length > 1)
		throw new InvalidParameterError(`the repository's address names several refs: ${refs.join(", ")}`);
	const subdirectories = [plain.subdirectory, values.get("subdir") ?? ""].filter((path) => path !== "");
	if (subdirectories.length > 1) throw new InvalidParameterError("the repository's address names several directories");
	const checksum = values.get("commit") ?? values.get("checksum");
	const keepGitDir = flagOf(values, "keep-git-dir");
	const submodules = flagOf(values, "submodules");
	return {
		url: plain.url,
		ref: refs[0] ?? checksum ?? "",
		subdirectory: subdirectories[0] ?? "",
		...(checksum === undefined ? {} : { checksum }),
		...(keepGitDir === undefined ? {} : { keepGitDir }),
		...(submodules === undefined ? {} : { submodules }),
	};
}

function prefixed(prefix: string, name: string | undefined): string {
	return name === undefined || name === "" ? "" : `${prefix}${name}`;
}

/** A word alone is a yes. */
function flagOf(values: ReadonlyMap<string, string>, key: string): boolean | undefined {
	const text = values.get(key);
	if (text === undefined) return undefined;
	const value = text === "" ? true : parseBoolean(text);
	if (value === undefined) throw new InvalidParameterError(`invalid ${key} value: "${text}"`);
	return value;
}
