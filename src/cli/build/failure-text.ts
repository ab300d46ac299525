import type { BuildFailure } from "../../core/build/session/build-call.ts";
import type { BuildState, BuildStep } from "./progress/build-state.ts";
import { plainLine } from "./progress/step-text.ts";

/** Lines of the Dockerfile around those that failed. */
const CONTEXT_LINES = 2;
const RULE = "------";
const LONG_RULE = "--------------------";

export interface DockerfileText {
	readonly name: string;
	readonly text: string;
}

/** Why a build failed: the step's last output, where it stands in the Dockerfile, and the reason. */
export function failureText(
	failure: BuildFailure,
	{ dockerfile, state }: { readonly dockerfile: DockerfileText | undefined; readonly state: BuildState },
): string {
	const parts: string[] = [];
	const { step } = failure;
	const failed = state.steps.find(({ error, tail }) => error !== undefined && tail.length > 0);
	if (failed !== undefined) parts.push(outputBlock(failed));
	if (step?.lines !== undefined && dockerfile !== undefined) parts.push(excerpt(dockerfile, step.lines));
	parts.push(`ERROR: failed to build: ${failure.message.split("\n").map(plainLine).join("\n")}`);
	return parts.join("\n");
}

function outputBlock(step: BuildStep): string {
	const lines = step.tail.map(({ text, seconds }) => `${seconds.toFixed(3)} ${plainLine(text)}`);
	return [RULE, ` > ${plainLine(step.name)}:`, ...lines, RULE].join("\n");
}

/**
 * The lines that failed, marked, and those around them:
 *
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM busybox
 *        2 | >>> RUN false
 *     --------------------
 */
export function excerpt({ name, text }: DockerfileText, { start, end }: { start: number; end: number }): string {
	const lines = text.replace(/\n$/, "").split("\n");
	const first = Math.max(1, start - CONTEXT_LINES);
	const last = Math.min(lines.length, end + CONTEXT_LINES);
	const shown = lines.slice(first - 1, last).map((line, index) => {
		const number = first + index;
		const mark = number >= start && number <= end ? ">>> " : "    ";
		return `${String(number).padStart(4)} | ${mark}${plainLine(line)}`.trimEnd();
	});
	return [`${name}:${start}`, LONG_RULE, ...shown, LONG_RULE].join("\n");
}

/** ` 2 warnings found:` and a line for each. */
export function warningsText(state: BuildState): string {
	const { warnings } = state;
	if (warnings.length === 0) return "";
	const lines = warnings.map(({ short, ranges }) => {
		const line = ranges?.[0]?.start;
		return ` - ${short}${line === undefined ? "" : ` (line ${line})`}`;
	});
	const count = `${warnings.length} warning${warnings.length === 1 ? "" : "s"} found`;
	return `\n ${count}:\n${lines.join("\n")}\n`;
}
