import { sha256 } from "../../base/digest.ts";
import type { BuildCache } from "./build-cache.ts";
import type { ContextPlace, ContextPlaces } from "./kept-context.ts";

/**
 * Copies of contexts as records of the build cache, of kind `source.local`: seen by `builder du`, removed by a prune. Builds of the same
 * context at the same time have a copy each.
 */
export class CachedContextPlaces implements ContextPlaces {
	/** Records that a build has. */
	readonly #taken = new Set<string>();

	constructor(private readonly cache: Pick<BuildCache, "lease" | "directory" | "resize">) {}

	acquire(key: string, description: string): ContextPlace {
		for (let number = 0; ; number++) {
			const name = sha256(`source.local ${number} ${key}`);
			if (this.#taken.has(name)) continue;
			this.#taken.add(name);
			const lease = this.cache.lease();
			const { id, path } = this.cache.directory(name, "source.local", description, lease);
			return {
				directory: path,
				release: (sizeBytes) => {
					this.#taken.delete(name);
					lease[Symbol.dispose]();
					if (sizeBytes !== undefined) this.cache.resize(id, sizeBytes);
				},
			};
		}
	}
}
