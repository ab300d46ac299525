/** Build arguments that speak to the builder, and not to the Dockerfile: those of BuildKit's that mean something here. */
import { InvalidParameterError } from "../../base/errors.ts";
import { parseBoolean } from "../dockerfile/directives.ts";

export interface BuilderArguments {
	/** BUILDKIT_INLINE_CACHE: the image carries its cache, as with `--cache-to type=inline`. */
	readonly inlineCache: boolean;
	/** BUILDKIT_CONTEXT_KEEP_GIT_DIR: a context from a repository has its `.git`. */
	readonly keepGitDir: boolean;
	/** BUILDKIT_CACHE_MOUNT_NS: cache mounts are apart from those of other namespaces; empty for none. */
	readonly cacheNamespace: string;
	/** BUILDKIT_SANDBOX_HOSTNAME: of RUN; empty for the default. */
	readonly hostname: string;
	/** BUILDKIT_MULTI_PLATFORM: the result is for one platform as it would be for several, an index or a directory for each. */
	readonly multiPlatform: boolean;
}

/** @throws InvalidParameterError for a word where a boolean belongs */
export function builderArguments(buildArgs: ReadonlyMap<string, string>): BuilderArguments {
	const flag = (name: string): boolean => {
		const text = buildArgs.get(name) ?? "";
		const value = text === "" ? false : parseBoolean(text);
		if (value === undefined) throw new InvalidParameterError(`invalid boolean value for ${name}: ${text}`);
		return value;
	};
	return {
		inlineCache: flag("BUILDKIT_INLINE_CACHE"),
		keepGitDir: flag("BUILDKIT_CONTEXT_KEEP_GIT_DIR"),
		cacheNamespace: buildArgs.get("BUILDKIT_CACHE_MOUNT_NS") ?? "",
		hostname: buildArgs.get("BUILDKIT_SANDBOX_HOSTNAME") ?? "",
		multiPlatform: flag("BUILDKIT_MULTI_PLATFORM"),
	};
}
