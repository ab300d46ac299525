import type { ExecCreateRequest } from "../../api/engine/exec.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { NotFoundError } from "../../base/errors.ts";
import type { Task } from "../../core/container/runtime.ts";

/** How long the end of an exec can still be asked for. */
const KEEP_ENDED_MS = 5 * 60_000;

export interface ExecEntry {
	readonly id: string;
	readonly containerId: string;
	readonly request: ExecCreateRequest;
	/** The OCI process made of it. */
	readonly process: unknown;
	state: "created" | "starting" | "running" | "ended";
	exitCode: number | undefined;
	pid: number;
	task: Task | undefined;
	/** Asked for before it ran. */
	consoleSize: { readonly width: number; readonly height: number } | undefined;
}

/** Execs of this daemon's life; they are not stored, as they end with their container. */
export class ExecTable {
	readonly #clock: Clock;
	readonly #entries = new Map<string, ExecEntry>();
	readonly #expiries = new Map<string, Timer>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** @throws NotFoundError */
	get(id: string): ExecEntry {
		const entry = this.#entries.get(id);
		if (entry === undefined) throw new NotFoundError(`No such exec instance: ${id}`);
		return entry;
	}

	add(entry: ExecEntry): void {
		this.#entries.set(entry.id, entry);
	}

	remove(id: string): void {
		this.#expiries.get(id)?.cancel();
		this.#expiries.delete(id);
		this.#entries.delete(id);
	}

	/** The entry has ended: it is kept for a while. */
	expire(id: string): void {
		this.#expiries.set(
			id,
			this.#clock.after(KEEP_ENDED_MS, () => this.remove(id)),
		);
	}

	ofContainer(containerId: string): ExecEntry[] {
		return [...this.#entries.values()].filter((entry) => entry.containerId === containerId);
	}

	clear(): void {
		for (const id of [...this.#entries.keys()]) this.remove(id);
	}
}
