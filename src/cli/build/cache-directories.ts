import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CacheEndpoint } from "../../core/build/request.ts";
import type { ClientCacheSource } from "../../core/build/session/build-call.ts";
import type { OfferedDirectory } from "./context-answers.ts";
import type { ParsedOutput } from "./output-options.ts";
import { offerDirectory } from "./sources.ts";

export interface CacheDirectories {
	/** `--cache-from` with what the daemon may ask for. */
	readonly sources: readonly ClientCacheSource[];
	readonly directories: ReadonlyMap<string, OfferedDirectory>;
	/** One for each `--cache-to`, in its order: the daemon counts them after the outputs. */
	readonly outputs: readonly (ParsedOutput | undefined)[];
	/** Directories without a cache: they are left out. */
	readonly missing: readonly string[];
}

/** The client's directories of caches with `type=local`: OCI layouts. */
export async function openCaches(
	from: readonly CacheEndpoint[],
	to: readonly CacheEndpoint[],
): Promise<CacheDirectories> {
	const directories = new Map<string, OfferedDirectory>();
	const missing: string[] = [];
	const sources: ClientCacheSource[] = [];
	for (const source of from) {
		const path = source.attributes["src"] ?? "";
		if (source.type !== "local") sources.push(source);
		else if (!existsSync(join(path, "index.json"))) missing.push(path);
		// No context of the user's has a name with spaces.
		else sources.push({ ...source, context: await offerDirectory(`cache of ${path}`, path, directories, {}) });
	}
	const outputs = to.map(({ type, attributes }): ParsedOutput | undefined =>
		type !== "local"
			? undefined
			: {
					output: { type: "oci", attributes: {} },
					destination: { kind: "directory", path: attributes["dest"] ?? "" },
				},
	);
	return { sources, directories, outputs, missing };
}
