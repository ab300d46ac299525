import { errorMessage } from "../../../base/errors.ts";
import type { Logger } from "../../../base/logger.ts";
import type { ImageService } from "../../image/image-service.ts";

export interface ResultImagesDependencies {
	readonly images: Pick<ImageService, "remove" | "workshop">;
	readonly logger: Logger;
}

/** Images without a name that stand for results while builds take them as inputs. Those that were not there before go with their last user. */
export class ResultImages {
	readonly #users = new Map<string, number>();
	/** Made for this alone. */
	readonly #made = new Set<string>();

	constructor(private readonly deps: ResultImagesDependencies) {}

	/** Makes one. @param build gives its ID */
	async make(build: () => Promise<string>): Promise<string> {
		const known = new Set(this.deps.images.workshop.index.all().map(({ id }) => id));
		const id = await build();
		if (!known.has(id as never)) this.#made.add(id);
		return id;
	}

	hold(id: string): AsyncDisposable {
		this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
		return { [Symbol.asyncDispose]: () => this.#release(id) };
	}

	async #release(id: string): Promise<void> {
		const users = (this.#users.get(id) ?? 0) - 1;
		if (users > 0) {
			this.#users.set(id, users);
			return;
		}
		this.#users.delete(id);
		if (!this.#made.delete(id)) return;
		const { index } = this.deps.images.workshop;
		const image = index.all().find((record) => record.id === id);
		// Somebody has given it a name meanwhile.
		if (image === undefined || image.tags.length > 0) return;
		try {
			await this.deps.images.remove(id, { force: false, noPrune: false });
		} catch (error) {
			this.deps.logger.debug("a result stays an image", { image: id, error: errorMessage(error) });
		}
	}
}
