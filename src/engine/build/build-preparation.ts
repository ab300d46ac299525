import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Platform } from "../../api/oci/image.ts";
import { EngineError, errorKind, errorMessage, InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest-word.ts";
import type { BuildContext } from "../../core/build/context.ts";
import type { BuildPlan } from "../../core/build/plan/build-plan.ts";
import { type NeededImage, neededStages } from "../../core/build/plan/needed-stages.ts";
import { oneLine, planBuild } from "../../core/build/plan/plan-build.ts";
import { type GraphInput, targetStage } from "../../core/build/plan/stage-graph.ts";
import type { BuildRequest } from "../../core/build/request.ts";
import { BuildStepError } from "../../core/build/step-error.ts";
import { GlobalArguments } from "../../core/dockerfile/build-arguments.ts";
import { parseIgnoreFile } from "../../core/dockerfile/ignore-patterns.ts";
import type { LintWarning } from "../../core/dockerfile/lint/lint-rules.ts";
import { parseDockerfile } from "../../core/dockerfile/parse-dockerfile.ts";
import type { Dockerfile } from "../../core/dockerfile/syntax.ts";
import type { BaseImages } from "./base-images.ts";
import { checkDockerfile } from "./dockerfile-checks.ts";

const DOCKERFILE_LIMIT_BYTES = 16 << 20;
const IGNORE_LIMIT_BYTES = 1 << 20;

export interface BuildDefinition {
	readonly dockerfile: Dockerfile;
	/** Patterns of the .dockerignore that holds for this Dockerfile. */
	readonly ignore: readonly string[];
}

/** Reads the Dockerfile and what it leaves out of the context. @throws DockerfileError, NotFoundError, InvalidParameterError */
export async function readDefinition(request: Pick<BuildRequest, "dockerfile" | "context">): Promise<BuildDefinition> {
	const { dockerfile: source, context } = request;
	if (source.kind === "text") {
		const dockerfile = parseDockerfile(source.text, { file: source.name });
		return { dockerfile, ignore: await readIgnore(context, source.name) };
	}
	const bytes = await context?.readFile(source.path, DOCKERFILE_LIMIT_BYTES);
	if (bytes === undefined)
		throw new NotFoundError(`failed to read dockerfile: open ${source.path}: no such file or directory`);
	if (bytes.length === 0) throw new InvalidParameterError(`the Dockerfile (${source.path}) cannot be empty`);
	return {
		dockerfile: parseDockerfile(bytes, { file: source.path }),
		ignore: await readIgnore(context, source.path),
	};
}

/** `<Dockerfile>.dockerignore` wins over the context's own. */
async function readIgnore(context: BuildContext | undefined, dockerfile: string): Promise<string[]> {
	const bytes =
		(await context?.readFile(`${dockerfile}.dockerignore`, IGNORE_LIMIT_BYTES)) ??
		(await context?.readFile(".dockerignore", IGNORE_LIMIT_BYTES));
	return bytes === undefined ? [] : parseIgnoreFile(bytes);
}

export interface PlanOptions {
	readonly platform: Platform;
	readonly buildPlatform: Platform;
	readonly images: BaseImages;
	/** Around the look-up of one image. */
	readonly resolving: <T>(
		reference: string,
		platform: Platform,
		work: (onProgress: (message: ProgressMessage) => void) => Promise<T>,
	) => Promise<T>;
	/** Hears what the checks of the Dockerfile have found. */
	readonly onWarnings: (warnings: readonly LintWarning[]) => void;
}

/** Looks the images up and makes the plan. @throws DockerfileError, NotFoundError, RemoteError, InvalidParameterError when checks fail it */
export async function preparePlan(
	{ dockerfile, ignore }: BuildDefinition,
	request: BuildRequest,
	{ platform, buildPlatform, images, resolving, onWarnings }: PlanOptions,
	signal: AbortSignal,
): Promise<BuildPlan> {
	const target = targetStage({ dockerfile, target: request.target });
	const globals = GlobalArguments.of(dockerfile, {
		buildArgs: request.buildArgs,
		buildPlatform,
		targetPlatform: platform,
		targetStage: dockerfile.stages[target]?.name ?? "",
	});
	const input: GraphInput = {
		dockerfile,
		globals,
		target: request.target,
		targetPlatform: platform,
		namedContexts: request.namedContexts,
	};
	for (;;) {
		const needs = neededStages(input, target, images.lookup);
		const missing = needs.images.filter((need) => images.lookup(need) === undefined);
		if (missing.length === 0) {
			const plan = planBuild(input, target, needs, images.lookup);
			const { warnings, failure } = checkDockerfile({
				graph: input,
				needs,
				lookup: images.lookup,
				buildPlatform,
				ignore,
			});
			onWarnings(warnings);
			if (failure !== undefined) throw failure;
			return plan;
		}
		await Promise.all(
			missing.map((need) =>
				images.once(need, () =>
					resolving(need.reference, need.platform, (onProgress) =>
						images
							.resolve({ reference: need.reference, platform: need.platform }, onProgress, signal)
							.catch((error: unknown) => Promise.reject(asImageError(error, need, dockerfile))),
					),
				),
			),
		);
	}
}

/** With the line that names the image. A stage's name that was mistyped means an image, which there is not. */
function asImageError(error: unknown, { reference, instruction }: NeededImage, { stages }: Dockerfile): unknown {
	if (!(error instanceof EngineError) || error.kind === "cancelled") return error;
	const names = stages.map(({ name }) => name).filter((name) => name !== "" && name !== reference);
	const suggestion = nearest(reference.toLowerCase(), names);
	const meant = suggestion === undefined ? "" : ` (did you mean the stage ${suggestion}?)`;
	const text = `${errorMessage(error)}${meant}`;
	if (instruction === undefined) return new EngineError(errorKind(error), text, { cause: error });
	const { start, end } = instruction.range;
	const step = { instruction: oneLine(instruction), lines: { start: start.line, end: end.line } };
	return new BuildStepError(step, text, { cause: error });
}
