/**
 * Moving a process into a cgroup (a write to `cgroup.procs`) takes a lock that forking processes hold for reading. The first writer
 * after a quiet time waits for an RCU grace period, 5 to 10 ms; for some 15 ms afterwards the lock costs nothing (kernel/rcu/sync.c,
 * `cgroup_threadgroup_rwsem` in kernel/cgroup/cgroup.c). The mount option `favordynmods` takes the wait away too, but for the whole
 * machine and all its forks, which is not ours to decide.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { type CgroupLayout, cgroupsOfProcess, readCgroupLayout } from "./cgroups.ts";

/** How long the lock is surely free after a write. */
const FRESH_MS = 2;

/** Lets the grace period go by while other things are done, so that the runtime's own write finds the lock free. */
export class CgroupAttachPrimer {
	readonly #clock: Clock;
	readonly #layout: CgroupLayout;
	#running = false;
	#primedAt = Number.NEGATIVE_INFINITY;

	constructor(clock: Clock, layout: CgroupLayout = readCgroupLayout()) {
		this.#clock = clock;
		this.#layout = layout;
	}

	/** Moves this process to where it is. Returns at once; what goes wrong only costs the time that would have been saved. */
	prime(): void {
		if (this.#running || this.#clock.now() - this.#primedAt < FRESH_MS) return;
		// Asked each time: somebody may have moved us.
		const directory = cgroupsOfProcess(this.#layout, process.pid)?.values().next().value;
		if (directory === undefined) return;
		this.#running = true;
		void writeFile(join(directory, "cgroup.procs"), String(process.pid))
			.catch(() => undefined)
			.finally(() => {
				this.#running = false;
				this.#primedAt = this.#clock.now();
			});
	}
}
