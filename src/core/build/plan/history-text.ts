/** How a step is written in the image's history: as BuildKit does, for people and for tools that read it back. */
import type { DeclaredArg } from "../../dockerfile/build-arguments.ts";
import type { StageInstruction } from "../../dockerfile/syntax.ts";
import type { StepAction } from "./build-plan.ts";

const SUFFIX = "# buildkit";

export const HISTORY_COMMENT = "buildkit.dockerfile.v0";

/** @param text the instruction with its variables put in where it takes some */
export function createdBy(instruction: StageInstruction, action: StepAction, args: readonly DeclaredArg[]): string {
	if (action.kind === "run") return `RUN ${argumentText(args)}${action.arguments.join(" ")} ${SUFFIX}`;
	if (action.kind === "copy") return `${copyText(instruction, action)} ${SUFFIX}`;
	return configText(instruction);
}

/** `|2 A=1 B=2 `: the arguments that the command saw. */
function argumentText(args: readonly DeclaredArg[]): string {
	const values = new Map(args.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])));
	if (values.size === 0) return "";
	return `|${values.size} ${[...values].map(([name, value]) => `${name}=${value}`).join(" ")} `;
}

function copyText(instruction: StageInstruction, action: Extract<StepAction, { readonly kind: "copy" }>): string {
	const words = [action.isAdd ? "ADD" : "COPY"];
	if (action.chown !== undefined) words.push(`--chown=${action.chown}`);
	if (action.chmod !== undefined) words.push(`--chmod=${action.chmod}`);
	if (action.link) words.push("--link");
	if (instruction.kind !== "copy" && instruction.kind !== "add") return words.join(" ");
	return [
		...words,
		...instruction.sources,
		...instruction.heredocs.map(({ name }) => `<<${name}`),
		instruction.destination,
	].join(" ");
}

function configText(instruction: StageInstruction): string {
	switch (instruction.kind) {
		case "env":
		case "label":
			return `${instruction.kind.toUpperCase()} ${instruction.pairs.map(({ key, value }) => `${key}=${value}`).join(" ")}`;
		case "workdir":
			return `WORKDIR ${instruction.path}`;
		case "user":
			return `USER ${instruction.user}`;
		case "stopsignal":
			return `STOPSIGNAL ${instruction.signal}`;
		case "expose":
			return `EXPOSE ${instruction.ports.join(" ")}`;
		case "volume":
			return `VOLUME [${instruction.paths.join(" ")}]`;
		case "cmd":
		case "entrypoint": {
			const { command } = instruction;
			const list = command.form === "exec" ? command.arguments : ["/bin/sh", "-c", command.line];
			return `${instruction.kind.toUpperCase()} [${list.map((word) => JSON.stringify(word)).join(" ")}]`;
		}
		case "arg":
			return `ARG ${instruction.args.map(({ name, defaultValue }) => (defaultValue === undefined ? name : `${name}=${defaultValue}`)).join(" ")}`;
		default:
			return instruction.text.replace(/^\S+/, (keyword) => keyword.toUpperCase());
	}
}
