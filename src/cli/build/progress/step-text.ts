import { humanSize } from "../../../base/units.ts";
import type { BuildStep, StepPart } from "./build-state.ts";

/** `transferring context: 2.1MB / 5MB 0.4s done`. */
export function partText({ name, current, total, started, completed }: StepPart, now: number): string {
	const seconds = started === undefined ? 0 : ((completed ?? now) - started) / 1000;
	const amount =
		total > 0 ? ` ${humanSize(current)} / ${humanSize(total)}` : current > 0 ? ` ${humanSize(current)}` : "";
	const time = seconds >= 0.1 ? ` ${seconds.toFixed(1)}s` : "";
	return `${name}${amount}${time}${completed === undefined ? "" : " done"}`;
}

/** How a step ended: `DONE 0.4s`, `CACHED`, `CANCELED`, `ERROR: …`. */
export function endText(step: BuildStep): string {
	if (step.error !== undefined) return isCancelled(step.error) ? "CANCELED" : `ERROR: ${step.error}`;
	return step.isCached ? "CACHED" : `DONE ${step.seconds(0).toFixed(1)}s`;
}

export function isCancelled(error: string): boolean {
	return /\bcancell?ed$/i.test(error);
}

const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

/** A line as it may be put into a table: what moves the cursor is gone, of a line that rewrote itself the last state is left. */
export function plainLine(text: string): string {
	const last = text.replace(/\r+$/, "").split("\r").at(-1) ?? "";
	return last.replace(ESCAPES, "").replaceAll("\t", "    ").replace(CONTROLS, "");
}
