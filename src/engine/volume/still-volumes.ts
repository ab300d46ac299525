import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import type { VolumeRegistry } from "./volume-registry.ts";

export interface ContainerPausing {
	/** @throws ConflictError when it does not run */
	pause(id: string): Promise<void>;
	/** @throws ConflictError when it is not paused */
	unpause(id: string): Promise<void>;
}

export interface StillVolumesDependencies {
	readonly registry: VolumeRegistry;
	readonly containers: ContainerRegistry;
	readonly pausing: ContainerPausing;
	readonly logger: Logger;
}

/** Keeps the containers that write to a volume paused while it is copied. Who is paused is stored first, so that a crash leaves nobody so. */
export class StillVolumes {
	readonly #deps: StillVolumesDependencies;
	/** Volumes for whose copies a container is kept paused, one entry for each copy. */
	readonly #holds = new Map<string, string[]>();

	constructor(deps: StillVolumesDependencies) {
		this.#deps = deps;
	}

	/** Pauses the containers that run with the volume; one that the user has paused stays so. @returns resumes them, once */
	async hold(name: string): Promise<AsyncDisposable> {
		const ids = this.#runningUsers(name);
		await this.#note(name, ids, []);
		const held: string[] = [];
		const release = async () => {
			for (const id of held.splice(0)) await this.#letGo(id, name);
			await this.#note(name, [], ids);
		};
		try {
			for (const id of ids) {
				if (await this.#takeHold(id, name)) held.push(id);
			}
			return { [Symbol.asyncDispose]: release };
		} catch (error) {
			await release();
			throw error;
		}
	}

	/** At daemon start: resumes the containers that an earlier daemon has left paused for a copy. */
	async releaseInterrupted(): Promise<void> {
		for (const { name, paused } of this.#deps.registry.all()) {
			if (paused === undefined) continue;
			for (const id of paused) await this.#resume(id);
			await this.#note(name, [], paused);
		}
	}

	#runningUsers(name: string): string[] {
		return this.#deps.containers
			.all()
			.filter(({ mounts }) => mounts.some((mount) => mount.type === "volume" && mount.source === name))
			.filter(({ id, lifecycle }) => lifecycle.kind === "running" || this.#holds.has(id))
			.map(({ id }) => id);
	}

	/** @returns false when it has ended meanwhile */
	async #takeHold(id: string, name: string): Promise<boolean> {
		const others = this.#holds.get(id);
		this.#holds.set(id, [...(others ?? []), name]);
		if (others !== undefined) return true;
		try {
			await this.#deps.pausing.pause(id);
			return true;
		} catch (error) {
			this.#holds.delete(id);
			if (this.#deps.containers.find(id)?.lifecycle.kind === "running") throw error;
			return false;
		}
	}

	async #letGo(id: string, name: string): Promise<void> {
		const holds = this.#holds.get(id) ?? [];
		const left = holds.toSpliced(holds.indexOf(name), 1);
		if (left.length > 0) {
			this.#holds.set(id, left);
			return;
		}
		this.#holds.delete(id);
		await this.#resume(id);
	}

	/** One that was ended, removed or resumed by somebody else is as it should be. */
	async #resume(id: string): Promise<void> {
		const { containers, pausing, logger } = this.#deps;
		if (containers.find(id)?.lifecycle.kind !== "paused") return;
		try {
			await pausing.unpause(id);
		} catch (error) {
			if (containers.find(id)?.lifecycle.kind !== "paused") return;
			logger.error("a container could not be resumed after a copy", { container: id, error: errorMessage(error) });
		}
	}

	async #note(name: string, added: readonly string[], removed: readonly string[]): Promise<void> {
		const { registry } = this.#deps;
		if (added.length === 0 && removed.length === 0) return;
		await registry.locked(name, () => {
			const stored = registry.find(name);
			if (stored === undefined) return;
			const { paused = [], ...record } = stored;
			const isHeld = (id: string) => this.#holds.get(id)?.includes(name) === true;
			const left = [...paused.filter((id) => !removed.includes(id) || isHeld(id)), ...added];
			registry.update(left.length === 0 ? record : { ...record, paused: [...new Set(left)] });
		});
	}
}
