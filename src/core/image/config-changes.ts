/** `--change` of import and commit: the Dockerfile instructions that only alter an image's configuration. */
import type { ContainerConfig } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { applyInstruction, type ConfigInstruction, type StageConfig } from "../build/plan/image-config.ts";
import { StageVariables } from "../dockerfile/build-arguments.ts";
import { checkInstruction } from "../dockerfile/check-instruction.ts";
import { DockerfileError, UnknownInstructionError } from "../dockerfile/dockerfile-error.ts";
import { expandInstruction, expandPorts } from "../dockerfile/expand-instruction.ts";
import { parseInstructions } from "../dockerfile/parse-dockerfile.ts";
import type { Dockerfile, Instruction } from "../dockerfile/syntax.ts";

/** SHELL and MAINTAINER would do as well, but Docker refuses them. */
const ALLOWED = [
	"cmd",
	"entrypoint",
	"env",
	"expose",
	"healthcheck",
	"label",
	"onbuild",
	"stopsignal",
	"user",
	"volume",
	"workdir",
] as const satisfies readonly ConfigInstruction["kind"][];
type Change = Extract<ConfigInstruction, { readonly kind: (typeof ALLOWED)[number] }>;
type Source = Pick<Dockerfile, "escape" | "file" | "source">;

/** @throws InvalidParameterError for an instruction that is unknown, not allowed here, or malformed */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
	const source = { file: "", source: changes.join("\n"), escape: "\\" } as const;
	try {
		const initial: StageConfig = { config, author: "", commandSet: false };
		return parseInstructions(source.source).reduce(
			(state, instruction) => applyChange(state, allowed(instruction), source),
			initial,
		).config;
	} catch (error) {
		if (error instanceof UnknownInstructionError) throw notAllowed(error.keyword, error);
		// There is no file that its place could be in.
		throw error instanceof DockerfileError ? new InvalidParameterError(error.summary, { cause: error }) : error;
	}
}

function applyChange(state: StageConfig, change: Change, source: Source): StageConfig {
	// A CMD without anything takes the command away.
	if (change.kind === "cmd" && change.command.form === "shell" && change.command.line === "")
		return { ...state, config: { ...state.config, Cmd: null } };
	const variables = new StageVariables(state.config.Env ?? []);
	const { instruction } = expandInstruction(change, variables, source);
	checkInstruction(instruction);
	const ports = change.kind === "expose" ? expandPorts(change, variables, source).ports : [];
	return applyInstruction(state, instruction, ports);
}

function allowed(instruction: Instruction): Change {
	if (isAllowed(instruction)) return instruction;
	throw notAllowed(instruction.keyword);
}

function notAllowed(keyword: string, cause?: Error): InvalidParameterError {
	const message = `${keyword.toUpperCase()} is not a valid change command`;
	return new InvalidParameterError(message, cause && { cause });
}

function isAllowed(instruction: Instruction): instruction is Change {
	return ALLOWED.some((kind) => kind === instruction.kind);
}
