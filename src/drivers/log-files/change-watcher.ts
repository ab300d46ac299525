import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { SystemError } from "../../base/errors.ts";

/** Wakes its one waiter when a file, or one that takes its name, changes. Changes while nobody waits are not lost. */
export class ChangeWatcher implements Disposable {
	readonly #watcher: FSWatcher;
	#hasChanged = false;
	#wake: (() => void) | undefined;

	/** @throws SystemError when the directory cannot be watched */
	constructor(path: string) {
		const name = basename(path);
		try {
			this.#watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
				if (changed === null || changed.startsWith(name)) this.notify();
			});
		} catch (cause) {
			throw new SystemError(`cannot follow the log ${path}`, { cause });
		}
		this.#watcher.on("error", () => this.notify());
	}

	/** Wakes the waiter as a change would. */
	notify(): void {
		this.#hasChanged = true;
		this.#wake?.();
	}

	/** Resolves at the first change since the last call. */
	async changed(): Promise<void> {
		if (!this.#hasChanged) {
			const { promise, resolve } = Promise.withResolvers<void>();
			this.#wake = resolve;
			await promise;
			this.#wake = undefined;
		}
		this.#hasChanged = false;
	}

	[Symbol.dispose](): void {
		this.#watcher.close();
	}
}
