import type { WireEvent } from "../../../core/build/session/build-call.ts";

type WireLog = Extract<WireEvent, { kind: "log" }>["log"];
type Warning = Extract<WireEvent, { kind: "warning" }>["warning"];

/** A transfer or the like inside of a step. */
export interface StepPart {
	readonly id: string;
	readonly name: string;
	readonly current: number;
	readonly total: number;
	readonly started?: number;
	readonly completed?: number;
}

/** A line that a step has written, with when: seconds since it started. */
export interface OutputLine {
	readonly text: string;
	readonly seconds: number;
}

/** What is known of a step. Times are milliseconds since the epoch. */
export class BuildStep {
	name = "";
	started: number | undefined;
	completed: number | undefined;
	isCached = false;
	error: string | undefined;
	readonly parts = new Map<string, StepPart>();
	/** The last lines, oldest first. */
	readonly tail: OutputLine[] = [];
	#partial = "";
	#decoder = new TextDecoder();

	constructor(
		/** From 1, in the order of starting. */
		readonly number: number,
		readonly digest: string,
	) {}

	get isRunning(): boolean {
		return this.started !== undefined && this.completed === undefined;
	}

	/** How long it has run, or did. */
	seconds(now: number): number {
		return this.started === undefined ? 0 : Math.max(0, ((this.completed ?? now) - this.started) / 1000);
	}

	/** Takes output in, and gives the lines that are whole now. */
	addOutput({ data, timestamp }: WireLog): OutputLine[] {
		this.#partial += this.#decoder.decode(Buffer.from(data, "base64"), { stream: true });
		const lines = this.#partial.split("\n");
		this.#partial = lines.pop() ?? "";
		if (this.#partial.length > MAX_LINE_LENGTH) lines.push(...this.#takePartial());
		return this.#keep(lines, timestamp);
	}

	/** What is left when no more output comes. */
	endOutput(): OutputLine[] {
		return this.#keep(this.#takePartial(), this.completed ?? this.started ?? 0);
	}

	#takePartial(): string[] {
		const text = this.#partial;
		this.#partial = "";
		return text === "" ? [] : [text];
	}

	#keep(texts: readonly string[], timestamp: number): OutputLine[] {
		const seconds = Math.max(0, (timestamp - (this.started ?? timestamp)) / 1000);
		const lines = texts.map((text) => ({ text: text.replace(/\r$/, ""), seconds }));
		this.tail.push(...lines);
		if (this.tail.length > TAIL_LINES) this.tail.splice(0, this.tail.length - TAIL_LINES);
		return lines;
	}
}

const TAIL_LINES = 20;
const MAX_LINE_LENGTH = 64 * 1024;

/** What happened to a step, for whoever writes it down. */
export type StepChange =
	| { readonly kind: "started"; readonly step: BuildStep }
	| { readonly kind: "ended"; readonly step: BuildStep }
	| { readonly kind: "output"; readonly step: BuildStep; readonly lines: readonly OutputLine[] }
	| { readonly kind: "part"; readonly step: BuildStep; readonly part: StepPart };

/** All steps of a build as its events have told of them. */
export class BuildState {
	readonly #steps = new Map<string, BuildStep>();
	/** Steps that have not begun: known by name only. */
	readonly #waiting = new Set<string>();
	readonly warnings: Warning[] = [];

	/** Those that have begun, in the order of their numbers. */
	get steps(): readonly BuildStep[] {
		return [...this.#steps.values()];
	}

	get totalCount(): number {
		return this.#steps.size + this.#waiting.size;
	}

	get completedCount(): number {
		let count = 0;
		for (const step of this.#steps.values()) if (step.completed !== undefined) count++;
		return count;
	}

	apply(event: WireEvent): StepChange[] {
		switch (event.kind) {
			case "vertex":
				return this.#applyVertex(event.vertex);
			case "status": {
				const step = this.#step(event.status.vertex);
				step.parts.set(event.status.id, event.status);
				return [{ kind: "part", step, part: event.status }];
			}
			case "log": {
				const step = this.#step(event.log.vertex);
				const lines = step.addOutput(event.log);
				return lines.length === 0 ? [] : [{ kind: "output", step, lines }];
			}
			case "warning":
				this.warnings.push(event.warning);
				return [];
		}
	}

	#applyVertex(vertex: Extract<WireEvent, { kind: "vertex" }>["vertex"]): StepChange[] {
		const isOver = vertex.completed !== undefined || vertex.cached === true || vertex.error !== undefined;
		if (vertex.started === undefined && !isOver) {
			if (!this.#steps.has(vertex.digest)) this.#waiting.add(vertex.digest);
			return [];
		}
		const isNew = !this.#steps.has(vertex.digest);
		const step = this.#step(vertex.digest);
		const wasOver = step.completed !== undefined;
		step.name = vertex.name;
		step.started = vertex.started ?? vertex.completed;
		step.isCached = vertex.cached === true;
		step.error = vertex.error;
		if (isOver) step.completed = vertex.completed ?? vertex.started ?? 0;
		const changes: StepChange[] = isNew ? [{ kind: "started", step }] : [];
		if (isOver && !wasOver) {
			const lines = step.endOutput();
			if (lines.length > 0) changes.push({ kind: "output", step, lines });
			changes.push({ kind: "ended", step });
		}
		return changes;
	}

	#step(digest: string): BuildStep {
		let step = this.#steps.get(digest);
		if (step === undefined) {
			step = new BuildStep(this.#steps.size + 1, digest);
			this.#steps.set(digest, step);
			this.#waiting.delete(digest);
		}
		return step;
	}
}
