import type { Digest } from "../../base/digest.ts";
import { newId } from "../../base/ids.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";

/** Results of stages and images as trees to read from, mounted once for a build. */
export class StageViews implements AsyncDisposable {
	readonly #views = new Map<Digest, Promise<{ readonly id: string; readonly path: string }>>();
	readonly #snapshotter: Snapshotter;
	#emptyDirectory: string | undefined;

	constructor(
		snapshotter: Snapshotter,
		private readonly makeEmpty: () => string,
	) {
		this.#snapshotter = snapshotter;
	}

	/** Host directory of a stack. Nothing is to be written there. */
	async path(chain: Digest | undefined): Promise<string> {
		if (chain === undefined) {
			this.#emptyDirectory ??= this.makeEmpty();
			return this.#emptyDirectory;
		}
		const view = this.#views.get(chain) ?? this.#mount(chain);
		this.#views.set(chain, view);
		return (await view).path;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const views = [...this.#views.values()];
		this.#views.clear();
		for (const view of await Promise.allSettled(views))
			if (view.status === "fulfilled") await this.#snapshotter.remove(view.value.id);
	}

	async #mount(chain: Digest): Promise<{ id: string; path: string }> {
		const id = newId();
		await this.#snapshotter.prepare(id, chain, { readOnly: true });
		return { id, path: (await this.#snapshotter.mount(id)).mergedPath };
	}
}
