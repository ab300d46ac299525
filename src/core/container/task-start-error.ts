import { EngineError } from "../../base/errors.ts";
import type { TaskStartFailure } from "./runtime.ts";

/** The OCI runtime could not start the process. `reason` decides the client's exit code (127, 126, 128). */
export class TaskStartError extends EngineError {
	constructor(
		readonly reason: TaskStartFailure,
		message: string,
		options?: ErrorOptions,
	) {
		super(reason === "other" ? "system" : "invalid-parameter", message, options);
	}
}
