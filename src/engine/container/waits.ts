import type { ContainerWaitResponse } from "../../api/engine/container.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

interface Waiter {
	readonly condition: WaitCondition;
	readonly resolve: (response: ContainerWaitResponse) => void;
}

/** Callers of `wait`, by container. Each is answered once; an aborted one is forgotten and its promise never settles. */
export class ContainerWaits {
	readonly #waiters = new Map<string, Set<Waiter>>();

	register(id: string, condition: WaitCondition, signal: AbortSignal): Promise<ContainerWaitResponse> {
		const { promise, resolve } = Promise.withResolvers<ContainerWaitResponse>();
		const waiter: Waiter = { condition, resolve };
		const waiters = this.#waiters.get(id) ?? new Set();
		waiters.add(waiter);
		this.#waiters.set(id, waiters);
		signal.addEventListener("abort", () => this.#drop(id, waiter), { once: true });
		if (signal.aborted) this.#drop(id, waiter);
		return promise;
	}

	/** A run has ended, whether a restart follows or not. */
	ended(id: string, exitCode: number): void {
		this.#answer(id, (condition) => condition !== "removed", { StatusCode: exitCode });
	}

	removed(id: string, exitCode: number): void {
		this.#answer(id, () => true, { StatusCode: exitCode });
	}

	removalFailed(id: string, exitCode: number, message: string): void {
		this.#answer(id, (condition) => condition === "removed", { StatusCode: exitCode, Error: { Message: message } });
	}

	get size(): number {
		return this.#waiters.size;
	}

	#answer(id: string, matches: (condition: WaitCondition) => boolean, response: ContainerWaitResponse): void {
		for (const waiter of [...(this.#waiters.get(id) ?? [])]) {
			if (!matches(waiter.condition)) continue;
			this.#drop(id, waiter);
			waiter.resolve(response);
		}
	}

	#drop(id: string, waiter: Waiter): void {
		const waiters = this.#waiters.get(id);
		waiters?.delete(waiter);
		if (waiters?.size === 0) this.#waiters.delete(id);
	}
}
