import type { WireEvent } from "../../../core/build/session/build-call.ts";
import { BuildState, type BuildStep } from "./build-state.ts";
import type { StepColors } from "./colors.ts";
import type { ProgressView } from "./progress-view.ts";
import { endText, isCancelled, partText, plainLine } from "./step-text.ts";

export interface ScreenSize {
	readonly rows: number;
	readonly columns: number;
}

export interface Painting extends ScreenSize {
	readonly now: number;
	/** When the build began. */
	readonly startedAt: number;
	/** The build is over: everything is shown once more, whatever the screen's height. */
	readonly isFinal: boolean;
	/** Undefined: none at all. */
	readonly colors: StepColors | undefined;
}

/** Lines of output under a running step. */
const TAIL_LINES = 6;
const MIN_COLUMNS = 20;
const BAR_COLUMNS = 20;

const FAINT = "\x1b[2m";
const PLAIN = "\x1b[0m";

/** The screen's lines: a headline, then steps in the order they began, each with its time at the right edge. */
export function paintBuild(state: BuildState, painting: Painting): string[] {
	const { rows, now, startedAt, isFinal } = painting;
	const seconds = ((now - startedAt) / 1000).toFixed(1);
	const counts = `(${state.completedCount}/${state.totalCount})`;
	const headline = `[+] Building ${seconds}s ${counts}${isFinal ? " FINISHED" : ""}`;
	const blocks = state.steps.map((step) => ({ step, lines: stepLines(step, painting) }));
	if (isFinal) return [headline, ...blocks.flatMap(({ lines }) => lines)];
	// One line stays free for the cursor.
	return [cut(headline, painting.columns), ...fitted(blocks, rows - 2)];
}

interface Block {
	readonly step: BuildStep;
	readonly lines: readonly string[];
}

/** What there is room for: running steps with all they have, then without their output, and of the others the latest. */
function fitted(blocks: readonly Block[], room: number): string[] {
	const total = blocks.reduce((sum, { lines }) => sum + lines.length, 0);
	if (total <= room) return blocks.flatMap(({ lines }) => lines);
	const shown = new Map<Block, readonly string[]>();
	let left = Math.max(0, room);
	const latestFirst = blocks.toReversed();
	for (const block of latestFirst.filter(({ step }) => step.isRunning)) {
		if (left === 0) break;
		shown.set(block, block.lines.slice(0, 1));
		left--;
	}
	for (const block of latestFirst.filter(({ step }) => step.isRunning)) {
		const more = block.lines.slice(1, 1 + left);
		if (!shown.has(block) || more.length === 0) continue;
		shown.set(block, [...block.lines.slice(0, 1), ...more]);
		left -= more.length;
	}
	for (const block of latestFirst.filter(({ step }) => !step.isRunning)) {
		if (left === 0) break;
		shown.set(block, block.lines.slice(0, 1));
		left--;
	}
	return blocks.flatMap((block) => shown.get(block) ?? []);
}

function stepLines(step: BuildStep, painting: Painting): string[] {
	const { now, colors } = painting;
	const mark =
		step.error === undefined ? (step.isCached ? "CACHED " : "") : isCancelled(step.error) ? "CANCELED " : "ERROR ";
	const color = colors === undefined ? "" : colorOf(step, colors);
	const head = withTime(` => ${mark}${plainLine(step.name)}`, step.seconds(now), painting);
	const lines = [color === "" ? head : `${color}${head}${PLAIN}`];
	const isOpen = step.isRunning || step.error !== undefined;
	for (const part of step.parts.values()) {
		if (!isOpen && part.completed === undefined) continue;
		const { current, total, started, completed } = part;
		const partSeconds = started === undefined ? 0 : ((completed ?? now) - started) / 1000;
		const isTransfer = isOpen && completed === undefined && total > 0;
		const text = isTransfer
			? `${plainLine(part.name)} ${bar(current, total)} ${amounts(part, now)}`
			: partText(
					{ ...part, name: plainLine(part.name), ...(started === undefined ? {} : { started: now, completed: now }) },
					now,
				).replace(/ done$/, "");
		lines.push(withTime(` => => ${text}`, partSeconds, painting));
	}
	if (isOpen)
		for (const { text } of step.tail.slice(-TAIL_LINES)) {
			const line = cut(` => => # ${plainLine(text)}`, painting.columns);
			lines.push(colors === undefined ? line : `${FAINT}${line}${PLAIN}`);
		}
	if (step.error !== undefined && !isCancelled(step.error) && painting.isFinal && step.tail.length === 0)
		lines.push(cut(` => => ${plainLine(endText(step))}`, painting.columns));
	return lines;
}

function colorOf({ error, isRunning }: BuildStep, colors: StepColors): string {
	if (error !== undefined) return isCancelled(error) ? colors.cancel : colors.error;
	return isRunning ? "" : colors.run;
}

function amounts(part: { current: number; total: number }, now: number): string {
	return partText({ id: "", name: "", ...part }, now).trim();
}

function bar(current: number, total: number): string {
	const filled = Math.min(BAR_COLUMNS, Math.round((current / total) * BAR_COLUMNS));
	return `[${"=".repeat(filled)}${" ".repeat(BAR_COLUMNS - filled)}]`;
}

/** The text, cut where it must be, and the time at the right edge. */
function withTime(text: string, seconds: number, { columns }: ScreenSize): string {
	const width = Math.max(MIN_COLUMNS, columns);
	const time = `${seconds.toFixed(1)}s`;
	const room = width - time.length - 2;
	const shown = cut(text, room);
	return `${shown}${" ".repeat(Math.max(1, room - Bun.stringWidth(shown) + 1))}${time}`;
}

/** At most so many columns of a terminal, of which a character may take two. */
function cut(text: string, columns: number): string {
	if (Bun.stringWidth(text) <= columns) return text;
	let shown = "";
	let width = 0;
	for (const character of text) {
		const next = Bun.stringWidth(character);
		if (width + next > columns - 1) break;
		shown += character;
		width += next;
	}
	return `${shown}…`;
}

/** Paints over what it painted last. Never writes more lines than the screen has, so that nothing scrolls away half-painted. */
export class TerminalView implements ProgressView {
	readonly state = new BuildState();
	readonly #startedAt: number;
	#paintedLines = 0;
	#isDirty = true;

	constructor(
		private readonly write: (text: string) => void,
		private readonly options: {
			readonly size: () => ScreenSize;
			readonly now: number;
			readonly colors: StepColors | undefined;
		},
	) {
		this.#startedAt = options.now;
	}

	show(events: readonly WireEvent[]): void {
		for (const event of events) this.state.apply(event);
		this.#isDirty = true;
	}

	tick(now: number): void {
		const isMoving = this.state.steps.some(({ isRunning }) => isRunning);
		if (this.#isDirty || isMoving || this.state.totalCount === 0) this.#paint(now, false);
		this.#isDirty = false;
	}

	finish(now: number): void {
		this.#paint(now, true);
		this.write("\x1b[?25h");
	}

	#paint(now: number, isFinal: boolean): void {
		const { size, colors } = this.options;
		const { rows, columns } = size();
		const lines = paintBuild(this.state, { rows, columns, now, startedAt: this.#startedAt, isFinal, colors });
		const up = Math.min(this.#paintedLines, Math.max(0, rows - 1));
		// The cursor hides while it would jump about.
		const start = `\x1b[?25l\r${up > 0 ? `\x1b[${up}A` : ""}`;
		this.write(`${start}${lines.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
		this.#paintedLines = lines.length;
	}
}
