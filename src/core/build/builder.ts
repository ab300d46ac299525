import type { ProgressSink } from "./progress.ts";
import type { BuildRequest, BuildResult } from "./request.ts";

/** Builds images. `engine/build` has the one implementation, `BuildService`. */
export interface Builder {
	/**
	 * Runs one build to its end. Finished steps stay cached, whatever happens afterwards. An abort stops running steps at once
	 * and leaves nothing behind.
	 * @throws BuildStepError for a step that failed, DockerfileError, InvalidParameterError, NotFoundError, CancelledError
	 */
	build(request: BuildRequest, progress: ProgressSink, signal: AbortSignal): Promise<BuildResult>;
}
