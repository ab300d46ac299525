import type { Platform } from "../../api/oci/image.ts";
import { errorMessage, SystemError, UnavailableError } from "../../base/errors.ts";
import type { PlannedStep, StepAction } from "../../core/build/plan/build-plan.ts";
import { BuildStepError } from "../../core/build/step-error.ts";
import { TaskStartError } from "../../core/container/task-start-error.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import type { BuildScope, CommandTarget } from "./build-scope.ts";
import type { OutputPart } from "./output-frames.ts";
import type { StepMounts } from "./step-mounts.ts";
import type { StepRunner } from "./step-runner.ts";

type RunAction = Extract<StepAction, { readonly kind: "run" }>;

/** Of a failed step, the last of what it said. */
const TAIL_BYTES = 16 << 10;
const START_FAILURES = { "not-found": 127, "not-executable": 126, other: 128 } as const;

/** RUN: what it reads, and running it. */
export class StepCommands {
	readonly #runner: StepRunner;
	readonly #mounts: StepMounts;
	readonly #canRun: (platform: Platform) => boolean;

	/** @param canRun whether programs of a platform run here, natively or emulated */
	constructor(runner: StepRunner, mounts: StepMounts, canRun: (platform: Platform) => boolean) {
		this.#canRun = canRun;
		this.#runner = runner;
		this.#mounts = mounts;
	}

	/** Whether it has mounts whose contents count. */
	readsFiles({ mounts }: RunAction): boolean {
		return mounts.some(({ mount }) => mount.type === "bind");
	}

	/** What its mounts hold, where that needs no reading. */
	definition(action: RunAction, scope: BuildScope): Promise<readonly string[] | undefined> {
		return this.#mounts.definition(action.mounts, scope);
	}

	/** Digests of what its mounts hold. */
	contents(action: RunAction, scope: BuildScope, signal: AbortSignal): Promise<readonly string[]> {
		return this.#mounts.contents(action.mounts, scope, signal);
	}

	/** @throws BuildStepError when the command fails */
	async run(
		step: PlannedStep,
		action: RunAction,
		target: CommandTarget,
		scope: BuildScope,
		onOutput: (part: OutputPart) => Promise<void>,
		signal: AbortSignal,
	): Promise<void> {
		const { request } = scope;
		if (!this.#canRun(target.platform))
			throw new UnavailableError(
				`commands for ${formatPlatform(target.platform)} cannot be run on this machine: no emulator is registered (binfmt_misc)`,
			);
		const tail = new OutputTail(TAIL_BYTES);
		await using prepared = await this.#mounts.prepare(action, target, scope, signal);
		const command = {
			arguments: action.arguments,
			environment: [...action.environment, ...action.proxies, ...prepared.environment],
			workingDirectory: action.workingDirectory,
			user: action.user,
			hostname: scope.hostname === "" ? target.id.slice(0, 12) : scope.hostname,
			network: action.network === "default" ? request.network || "default" : action.network,
			privileged: action.insecure,
			extraHosts: request.extraHosts,
			limits: request.limits,
			mounts: prepared.mounts,
		};
		let exitCode: number;
		try {
			const exit = await this.#runner.run(
				command,
				target.rootPath,
				(part) => {
					tail.add(part.data);
					return onOutput(part);
				},
				signal,
				target.id,
			);
			if (exit.exitCode === 0) return;
			exitCode = exit.exitCode;
		} catch (error) {
			if (!(error instanceof TaskStartError)) throw error;
			const words = Buffer.from(`${errorMessage(error)}\n`);
			tail.add(words);
			await onOutput({ stream: 2, data: words });
			exitCode = START_FAILURES[error.reason];
			throw failure(step, action, exitCode, tail.text(), error);
		}
		throw failure(step, action, exitCode, tail.text());
	}
}

function failure(
	step: PlannedStep,
	action: RunAction,
	exitCode: number,
	output: string,
	cause?: unknown,
): BuildStepError {
	const lines = step.range === undefined ? {} : { lines: { start: step.range.start.line, end: step.range.end.line } };
	const message = `process "${action.arguments.join(" ")}" did not complete successfully: exit code: ${exitCode}`;
	return new BuildStepError({ instruction: step.instruction, ...lines, exitCode, output }, message, {
		cause: cause ?? new SystemError(message),
	});
}

class OutputTail {
	#parts: Uint8Array[] = [];
	#bytes = 0;

	constructor(readonly limitBytes: number) {}

	add(data: Uint8Array): void {
		this.#parts.push(data);
		this.#bytes += data.length;
		while (this.#parts.length > 1 && this.#bytes - (this.#parts[0]?.length ?? 0) >= this.limitBytes)
			this.#bytes -= this.#parts.shift()?.length ?? 0;
	}

	text(): string {
		return Buffer.concat(this.#parts).subarray(-this.limitBytes).toString("utf8");
	}
}
