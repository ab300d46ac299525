import { EngineError, errorKind } from "../../../base/errors.ts";
import { messageOfError } from "../../../core/build/buildkit/solve-error.ts";
import type { SourceText } from "../../../core/build/buildkit/solve-status.ts";

/** A build that failed, with the Dockerfile that it is about. */
export class SolveFailure extends EngineError {
	constructor(
		cause: unknown,
		/** Undefined when it was not read. */
		readonly source: SourceText | undefined,
	) {
		super(errorKind(cause), messageOfError(cause), { cause });
	}
}
