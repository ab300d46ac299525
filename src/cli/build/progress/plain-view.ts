import type { WireEvent } from "../../../core/build/session/build-call.ts";
import { BuildState, type BuildStep } from "./build-state.ts";
import type { ProgressView } from "./progress-view.ts";
import { endText, partText, plainLine } from "./step-text.ts";

/** While a step writes, others wait at most so long for their turn. */
const TURN_MS = 5000;
/** A step that has been silent so long gives its turn away. */
const SILENCE_MS = 1000;
/** A transfer under way is shown this often. */
const PART_INTERVAL_MS = 2000;

/**
 * One line after the other, as logs want it: `#5 [2/4] RUN make`, `#5 0.321 text`, `#5 DONE 0.4s`. Steps that run side by side take turns
 * in blocks, so that their lines stay together.
 */
export class PlainView implements ProgressView {
	readonly #state = new BuildState();
	readonly #waiting = new Map<BuildStep, string[]>();
	readonly #partShownAt = new Map<string, number>();
	#current: BuildStep | undefined;
	#turnStart = 0;
	#lastLine = 0;
	#hasWritten = false;

	constructor(private readonly write: (text: string) => void) {}

	get state(): BuildState {
		return this.#state;
	}

	show(events: readonly WireEvent[], now: number): void {
		for (const event of events)
			for (const change of this.#state.apply(event)) {
				const { step } = change;
				if (change.kind === "started") this.#put(step, [], now);
				else if (change.kind === "ended") this.#put(step, [endText(step).split("\n").map(plainLine).join("\n")], now);
				else if (change.kind === "output")
					this.#put(
						step,
						change.lines.map(({ text, seconds }) => `${seconds.toFixed(3)} ${text}`),
						now,
					);
				else if (this.#isDue(`${step.digest} ${change.part.id}`, change.part.completed !== undefined, now))
					this.#put(step, [partText(change.part, now)], now);
			}
		this.tick(now);
	}

	tick(now: number): void {
		while (this.#waiting.size > 0) {
			const current = this.#current;
			const isBusy =
				current?.isRunning === true && now - this.#lastLine < SILENCE_MS && now - this.#turnStart < TURN_MS;
			if (isBusy) return;
			const [next] = this.#waiting.keys();
			if (next === undefined) return;
			this.#takeTurn(next, now);
		}
	}

	finish(now: number): void {
		for (const step of [...this.#waiting.keys()]) this.#takeTurn(step, now);
		if (this.#hasWritten) this.write("\n");
	}

	#put(step: BuildStep, lines: readonly string[], now: number): void {
		if (this.#current === step) {
			this.#lines(step, lines, now);
			return;
		}
		const waiting = this.#waiting.get(step);
		if (waiting === undefined) this.#waiting.set(step, [...lines]);
		else waiting.push(...lines);
	}

	#takeTurn(step: BuildStep, now: number): void {
		const before = this.#current;
		if (before?.isRunning === true) this.write(`#${before.number} ...\n`);
		if (this.#hasWritten) this.write("\n");
		this.write(`#${step.number} ${plainLine(step.name)}\n`);
		this.#hasWritten = true;
		this.#current = step;
		this.#turnStart = now;
		const lines = this.#waiting.get(step) ?? [];
		this.#waiting.delete(step);
		this.#lines(step, lines, now);
	}

	#lines(step: BuildStep, lines: readonly string[], now: number): void {
		this.#lastLine = now;
		for (const line of lines) this.write(`#${step.number} ${line}\n`);
	}

	#isDue(key: string, isCompleted: boolean, now: number): boolean {
		const last = this.#partShownAt.get(key);
		if (last === Number.POSITIVE_INFINITY) return false;
		if (!isCompleted && last === undefined) {
			this.#partShownAt.set(key, now);
			return false;
		}
		if (!isCompleted && now - (last ?? 0) < PART_INTERVAL_MS) return false;
		this.#partShownAt.set(key, isCompleted ? Number.POSITIVE_INFINITY : now);
		return true;
	}
}
