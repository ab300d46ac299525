import type { Digest } from "../../base/digest.ts";
import type { AppliedLayer } from "../../core/diff/archiver.ts";
import type { SnapshotIngest } from "../../core/snapshot/snapshotter.ts";

/** A layer that is unpacked and verified, and stands on nothing yet. */
export interface FinishedLayer {
	readonly ingest: SnapshotIngest;
	readonly applied: AppliedLayer;
	/** Milliseconds since the epoch. */
	readonly keepUntil: number;
}

/** Pulls that are begun and cut short over and over must not fill the disk. */
const LIMIT = 64;

/**
 * Layers of pulls that ended before the layers below were there: the next pull takes them from here instead of fetching them again.
 * They are the process's own: what a start finds of them is removed.
 */
export class FinishedLayers {
	readonly #layers = new Map<Digest, FinishedLayer>();

	async keep(finished: FinishedLayer): Promise<void> {
		const { diffId } = finished.applied;
		await this.drop(({ applied }) => applied.diffId === diffId);
		this.#layers.set(diffId, finished);
		for (const [oldest] of [...this.#layers].slice(0, -LIMIT))
			await this.drop(({ applied }) => applied.diffId === oldest);
	}

	/** The caller's from now on, to commit or to abort. */
	take(diffId: Digest): FinishedLayer | undefined {
		const finished = this.#layers.get(diffId);
		this.#layers.delete(diffId);
		return finished;
	}

	/** @returns how many went */
	async drop(isUnwanted: (finished: FinishedLayer) => boolean): Promise<number> {
		const unwanted = [...this.#layers.values()].filter(isUnwanted);
		for (const { applied } of unwanted) this.#layers.delete(applied.diffId);
		for (const { ingest } of unwanted) await ingest.abort();
		return unwanted.length;
	}

	totalBytes(): number {
		return this.all().reduce((sum, { applied }) => sum + applied.contentSizeBytes, 0);
	}

	all(): FinishedLayer[] {
		return [...this.#layers.values()];
	}
}
