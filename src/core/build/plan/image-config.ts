/** What the instructions that only alter an image's configuration do to it. */
import type { ContainerConfig } from "../../../api/engine/container.ts";
import { assertNever, InvalidParameterError } from "../../../base/errors.ts";
import { exposedPorts } from "../../dockerfile/exposed-ports.ts";
import type { CommandLine, HealthcheckInstruction, StageInstruction } from "../../dockerfile/syntax.ts";

export const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];

export type ConfigInstruction = Exclude<StageInstruction, { readonly kind: "run" | "copy" | "add" | "arg" }>;

/** What is known of a stage so far. */
export interface StageConfig {
	readonly config: ContainerConfig;
	readonly author: string;
	/** CMD stood in this stage: ENTRYPOINT leaves it alone. */
	readonly commandSet: boolean;
}

/** @param ports of EXPOSE, expanded and split. @throws InvalidParameterError */
export function applyInstruction(
	state: StageConfig,
	instruction: ConfigInstruction,
	ports: readonly string[],
): StageConfig {
	const { config } = state;
	const next = (changed: Partial<ContainerConfig>): StageConfig => ({ ...state, config: { ...config, ...changed } });
	switch (instruction.kind) {
		case "cmd":
			return { ...next({ Cmd: commandLine(config, instruction.command) }), commandSet: true };
		case "entrypoint":
			return next({
				Entrypoint: commandLine(config, instruction.command),
				...(state.commandSet ? {} : { Cmd: null }),
			});
		case "env":
			return next({
				Env: instruction.pairs.reduce((env, { key, value }) => setVariable(env, key, value), config.Env ?? []),
			});
		case "label":
			return next({
				Labels: { ...config.Labels, ...Object.fromEntries(instruction.pairs.map(({ key, value }) => [key, value])) },
			});
		case "expose":
			return next({ ExposedPorts: { ...config.ExposedPorts, ...keys(ports.flatMap(exposedPorts)) } });
		case "volume":
			return next({ Volumes: { ...config.Volumes, ...keys(instruction.paths.map(volumePath)) } });
		case "user":
			return next({ User: instruction.user });
		case "workdir":
			return next({ WorkingDir: absolutePath(config.WorkingDir ?? "", instruction.path) });
		case "stopsignal":
			return next({ StopSignal: instruction.signal });
		case "shell":
			return next({ Shell: [...instruction.shell] });
		case "healthcheck":
			return next({ Healthcheck: healthcheck(instruction) });
		case "onbuild":
			return next({ OnBuild: [...(config.OnBuild ?? []), instruction.expression] });
		case "maintainer":
			return { ...state, author: instruction.name };
		default:
			return assertNever(instruction);
	}
}

/** With the shell in front, when it is its. */
export function commandLine(config: ContainerConfig, command: CommandLine): string[] {
	if (command.form === "exec") return [...command.arguments];
	return [...shellOf(config), command.line];
}

export function shellOf(config: ContainerConfig): readonly string[] {
	return config.Shell ?? DEFAULT_SHELL;
}

export function setVariable(environment: readonly string[], key: string, value: string): string[] {
	const entry = `${key}=${value}`;
	const at = environment.findIndex((line) => line === key || line.startsWith(`${key}=`));
	return at < 0 ? [...environment, entry] : environment.map((line, index) => (index === at ? entry : line));
}

/** A relative path counts from `directory`. `..` never leaves the root. */
export function absolutePath(directory: string, path: string): string {
	const parts: string[] = [];
	for (const part of (path.startsWith("/") ? path : `${directory}/${path}`).split("/"))
		if (part === "..") parts.pop();
		else if (part !== "" && part !== ".") parts.push(part);
	return `/${parts.join("/")}`;
}

function volumePath(path: string): string {
	if (path.trim() === "") throw new InvalidParameterError("VOLUME specified can not be an empty string");
	return path.trim();
}

function healthcheck(instruction: HealthcheckInstruction) {
	const { command, intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = instruction;
	if (command === undefined) return { Test: ["NONE"] };
	const test = command.form === "exec" ? ["CMD", ...command.arguments] : ["CMD-SHELL", command.line];
	return {
		Test: test,
		...(intervalNs === 0 ? {} : { Interval: intervalNs }),
		...(timeoutNs === 0 ? {} : { Timeout: timeoutNs }),
		...(startPeriodNs === 0 ? {} : { StartPeriod: startPeriodNs }),
		...(startIntervalNs === 0 ? {} : { StartInterval: startIntervalNs }),
		...(retries === 0 ? {} : { Retries: retries }),
	};
}

function keys(names: readonly string[]): Record<string, Record<string, never>> {
	return Object.fromEntries(names.map((name) => [name, {}]));
}
