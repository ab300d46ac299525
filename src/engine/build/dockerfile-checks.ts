/** The checks of a Dockerfile while it is built: with the images that it is FROM, of the stages that the target needs. */

import type { Platform } from "../../api/oci/image.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ImageLookup, Needs } from "../../core/build/plan/needed-stages.ts";
import type { GraphInput } from "../../core/build/plan/stage-graph.ts";
import type { VertexWarning } from "../../core/build/progress.ts";
import { IgnorePatterns } from "../../core/dockerfile/ignore-patterns.ts";
import { lint } from "../../core/dockerfile/lint/lint.ts";
import type { LintBaseImage } from "../../core/dockerfile/lint/lint-options.ts";
import type { LintWarning } from "../../core/dockerfile/lint/lint-rules.ts";

export interface CheckInput {
	readonly graph: GraphInput;
	readonly needs: Needs;
	readonly lookup: ImageLookup;
	readonly buildPlatform: Platform;
	/** Patterns of the .dockerignore. */
	readonly ignore: readonly string[];
}

/** Of a Dockerfile that could be planned. */
export function checkDockerfile({ graph, needs, lookup, buildPlatform, ignore }: CheckInput): {
	readonly warnings: readonly LintWarning[];
	/** `check=error=true` and there are warnings. */
	readonly failure: InvalidParameterError | undefined;
} {
	const { dockerfile, globals, target, targetPlatform } = graph;
	const baseImage = (reference: string): LintBaseImage | undefined => {
		const need = needs.images.find((image) => image.reference === reference);
		const config = need === undefined ? undefined : lookup(need)?.config;
		if (config === undefined) return undefined;
		const { Env, OnBuild, Shell } = config.config ?? {};
		return {
			environment: texts(Env),
			triggers: texts(OnBuild),
			shell: Array.isArray(Shell) ? texts(Shell) : undefined,
			platform: config,
		};
	};
	const { warnings, error, failed } = lint(dockerfile, {
		buildArgs: globals.buildArgs,
		buildPlatform,
		targetPlatform,
		target,
		baseImage,
		ignore: new IgnorePatterns(ignore),
	});
	const rules = [...new Set(warnings.map(({ rule }) => rule))].join(", ");
	// What the plan let through is no error here: a named context may stand for what the checks cannot find.
	const isRefused = failed && error === undefined;
	return {
		warnings,
		failure: isRefused ? new InvalidParameterError(`lint violation found for rules: ${rules}`) : undefined,
	};
}

/** As a build tells it. */
export function asVertexWarning(
	{ rule, message, description, url, range }: LintWarning,
	vertex: VertexWarning["vertex"],
): VertexWarning {
	const ranges = [{ start: range.start.line, end: range.end.line }];
	return { vertex, level: 1, short: `${rule}: ${message}`, detail: [description], url, ranges };
}

function texts(value: unknown): string[] {
	return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
