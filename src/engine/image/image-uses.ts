import type { Clock, Timer } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { UseStore } from "../../core/gc/use-store.ts";

export interface ImageUsesDependencies {
	readonly store: UseStore;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** Uses are gathered for so long and written together. */
const WRITE_DELAY_MS = 60_000;

/**
 * When each image was used last: pulled, loaded, built, or a container made of it or removed. Kept in memory; written once a minute at
 * most, and when the daemon stops. What a crash loses is the last minute.
 */
export class ImageUses {
	readonly #deps: ImageUsesDependencies;
	readonly #uses: Map<string, number>;
	readonly #unwritten = new Map<string, number>();
	#timer: Timer | undefined;

	constructor(deps: ImageUsesDependencies) {
		this.#deps = deps;
		this.#uses = new Map(deps.store.uses());
	}

	touch(imageId: string): void {
		const now = this.#deps.clock.now();
		this.#uses.set(imageId, now);
		this.#unwritten.set(imageId, now);
		this.#timer ??= this.#deps.clock.after(WRITE_DELAY_MS, () => this.#write());
	}

	/** Milliseconds since the epoch. An image that nobody knows of counts from now on. */
	lastUsedAt(imageId: string): number {
		const known = this.#uses.get(imageId);
		if (known !== undefined) return known;
		this.touch(imageId);
		return this.#uses.get(imageId) ?? 0;
	}

	/** The image has gone. */
	forget(imageId: string): void {
		this.#unwritten.delete(imageId);
		if (!this.#uses.delete(imageId)) return;
		try {
			this.#deps.store.deleteUse(imageId);
		} catch (error) {
			// A line too many does no harm.
			this.#deps.logger.debug("image use could not be forgotten", { image: imageId, error: errorMessage(error) });
		}
	}

	close(): void {
		this.#write();
	}

	#write(): void {
		this.#timer?.cancel();
		this.#timer = undefined;
		if (this.#unwritten.size === 0) return;
		try {
			this.#deps.store.putUses(this.#unwritten);
			this.#unwritten.clear();
		} catch (error) {
			// A full disk: they are written with the next ones.
			this.#deps.logger.warn("image uses could not be written", { error: errorMessage(error) });
		}
	}
}
