import type { Task } from "../../core/container/runtime.ts";
import { notRunning } from "../../core/container/state.ts";

/** Handles of the containers' first processes, by container ID: those that run, or have ended and are not cleaned up yet. */
export class TaskTable {
	readonly #tasks = new Map<string, Task>();

	get(id: string): Task | undefined {
		return this.#tasks.get(id);
	}

	/** @throws ConflictError */
	running(id: string): Task {
		const task = this.#tasks.get(id);
		if (task === undefined) throw notRunning(id);
		return task;
	}

	set(id: string, task: Task): void {
		this.#tasks.set(id, task);
	}

	delete(id: string): void {
		this.#tasks.delete(id);
	}
}
