import { EngineError, errorKind } from "../../base/errors.ts";

export interface FailedStep {
	/** As the Dockerfile has it, flags included. */
	readonly instruction: string;
	/** 1-based lines of the Dockerfile; undefined for a step of nobody's line (a trigger of the base image). */
	readonly lines?: { readonly start: number; readonly end: number };
	/** Set when a command ran and failed. */
	readonly exitCode?: number;
	/** The last of its output, cut to a few KiB. */
	readonly output?: string;
}

/** A step failed; says which one and with what. Its kind is that of the cause. */
export class BuildStepError extends EngineError {
	constructor(
		readonly step: FailedStep,
		message: string,
		options?: ErrorOptions,
	) {
		super(errorKind(options?.cause), message, options);
	}
}
