/** Rules that the text of the file alone decides. */

import type { PartialDockerfile } from "../parse-dockerfile.ts";
import type { ArgInstruction, Dockerfile, FromInstruction, Instruction } from "../syntax.ts";
import type { Warn } from "./lint-options.ts";

const RESERVED_NAMES: readonly string[] = ["context", "scratch"];

export function lintFile(dockerfile: Dockerfile, warn: Warn): void {
	const { stages, globalArgs, emptyContinuations } = dockerfile;
	const inStages = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
	lintInstructions({ instructions: [...globalArgs, ...inStages], emptyContinuations }, warn);
	checkStageNames(dockerfile, warn);
	checkCasing(inStages, warn);
}

/** Each instruction by itself. */
export function lintInstructions(
	{ instructions, emptyContinuations }: Omit<PartialDockerfile, "directives">,
	warn: Warn,
): void {
	for (const line of emptyContinuations)
		warn("NoEmptyContinuation", "Empty line in the middle of an instruction", {
			start: { line, column: 1 },
			end: { line, column: 1 },
		});
	for (const instruction of instructions) {
		if (instruction.kind === "from") checkFrom(instruction, warn);
		if (instruction.kind === "arg") checkArgDescription(instruction, warn);
		if (instruction.kind === "maintainer")
			warn(
				"MaintainerDeprecated",
				"MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors",
				instruction.range,
				instruction.comments,
			);
	}
}

function checkFrom({ keyword, as, range, comments }: FromInstruction, warn: Warn): void {
	if (as === undefined) return;
	const name = as.name.toLowerCase();
	if (as.name !== name) warn("StageNameCasing", `Stage name '${as.name}' should be lowercase`, range, comments);
	const casing = casingOf(keyword);
	// A FROM in mixed case has a warning already.
	if (casing !== undefined && as.keyword !== inCase(as.keyword, casing))
		warn("FromAsCasing", `'${as.keyword}' should have the same case as '${keyword}'`, range, comments);
	checkDescription("FROM", [name], { range, comments }, warn);
}

function checkArgDescription(arg: ArgInstruction, warn: Warn): void {
	checkDescription(
		"ARG",
		arg.args.map(({ name }) => name),
		arg,
		warn,
	);
}

/** The last line of the comment above counts. */
function checkDescription(
	keyword: string,
	names: readonly string[],
	{ range, comments }: Pick<Instruction, "range" | "comments">,
	warn: Warn,
): void {
	const last = comments.at(-1);
	const [first = ""] = names;
	if (last === undefined || names.includes(last.split(" ", 1)[0] ?? "")) return;
	const name = names.length > 1 ? "<arg_key>" : first;
	const message = `The comment above ${keyword} should have the form: \`# ${name} <description>\``;
	warn("InvalidDefinitionDescription", message, range, comments);
}

function checkStageNames({ stages }: Dockerfile, warn: Warn): void {
	const seen = new Set<string>();
	for (const { name, from } of stages) {
		if (name === "") continue;
		if (RESERVED_NAMES.includes(name))
			warn("ReservedStageName", `"${name}" has a meaning of its own and should not name a stage`, from.range);
		if (seen.has(name)) warn("DuplicateStageName", `There is another stage of the name "${name}"`, from.range);
		seen.add(name);
	}
}

/** What most instructions do decides; capitals when there are as many of each. */
function checkCasing(instructions: readonly Instruction[], warn: Warn): void {
	const casings = instructions.map(({ keyword }) => casingOf(keyword));
	const lower = casings.filter((casing) => casing === "lower").length;
	const upper = casings.filter((casing) => casing === "upper").length;
	const majority = lower > upper ? "lower" : "upper";
	for (const { keyword, range } of instructions)
		if (keyword !== inCase(keyword, majority))
			warn("ConsistentInstructionCasing", `'${keyword}' should be in ${majority}case, as most instructions are`, range);
}

type Casing = "lower" | "upper";

/** Undefined for mixed case. */
function casingOf(word: string): Casing | undefined {
	if (word === word.toLowerCase()) return "lower";
	return word === word.toUpperCase() ? "upper" : undefined;
}

function inCase(word: string, casing: Casing): string {
	return casing === "lower" ? word.toLowerCase() : word.toUpperCase();
}
