/** `--check`: the rules of BuildKit's linter, on a file as a whole and on its stages as a build would go through them. */
import { GlobalArguments } from "../build-arguments.ts";
import { type CheckOptions, DEFAULT_CHECK, parseCheckOptions } from "../directives.ts";
import { DockerfileError } from "../dockerfile-error.ts";
import { type ParseOptions, parseDockerfile, parseUntilError } from "../parse-dockerfile.ts";
import { findTarget, walkStages } from "../stage-walk.ts";
import type { Dockerfile } from "../syntax.ts";
import { lintFile, lintInstructions } from "./lint-file.ts";
import type { LintOptions, Warn } from "./lint-options.ts";
import { isRuleOn, LINT_RULES, type LintWarning, ruleUrl } from "./lint-rules.ts";
import { StageLinter } from "./lint-stages.ts";

export interface LintResult {
	/** In the order of the file. */
	readonly warnings: readonly LintWarning[];
	/** What a build would fail at. */
	readonly error: DockerfileError | undefined;
	/** There is an error, or there are warnings and `check=error=true`. */
	readonly failed: boolean;
}

/** Sets the options of `check` by `--build-arg`. */
const CHECK_ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK";

/** Parses and checks. Never throws for what the file says. */
export function lintSource(source: string | Uint8Array, options: LintOptions & ParseOptions): LintResult {
	try {
		return lint(parseDockerfile(source, options), options);
	} catch (error) {
		if (!(error instanceof DockerfileError)) throw error;
		return { warnings: warningsBeforeError(source, options), error, failed: true };
	}
}

function warningsBeforeError(source: string | Uint8Array, options: LintOptions & ParseOptions): LintWarning[] {
	const partial = parseUntilError(source, options);
	const directive = partial.directives.find(({ name }) => name === "check");
	const check = parseCheckOptions(options.buildArgs.get(CHECK_ARGUMENT) ?? directive?.value ?? "");
	const warnings = new Warnings(options.check ?? ("invalid" in check ? DEFAULT_CHECK : check));
	lintInstructions(partial, warnings.add);
	return warnings.sorted;
}

/** @throws DockerfileError for a `check` directive that cannot be read, and a target that there is not */
export function lint(dockerfile: Dockerfile, options: LintOptions): LintResult {
	const check = options.check ?? checkOptions(dockerfile, options);
	const warnings = new Warnings(check);
	lintFile(dockerfile, warnings.add);
	const error = lintStages(dockerfile, options, warnings.add);
	const { sorted } = warnings;
	return { warnings: sorted, error, failed: error !== undefined || (check.error && sorted.length > 0) };
}

/** Those whose rules count. */
class Warnings {
	readonly #warnings: LintWarning[] = [];
	readonly #check: CheckOptions;

	constructor(check: CheckOptions) {
		this.#check = check;
	}

	readonly add: Warn = (rule, message, range, comments) => {
		if (!isRuleOn(rule, this.#check, comments)) return;
		const { description } = LINT_RULES[rule];
		this.#warnings.push({ rule, description, url: ruleUrl(rule), message, range });
	};

	get sorted(): LintWarning[] {
		return this.#warnings.toSorted((a, b) => a.range.start.line - b.range.start.line);
	}
}

function lintStages(dockerfile: Dockerfile, options: LintOptions, warn: Warn): DockerfileError | undefined {
	const target = findTarget(dockerfile, options.target ?? "");
	try {
		const globals = GlobalArguments.of(dockerfile, { ...options, targetStage: target.name });
		const linter = new StageLinter({ dockerfile, globals, options, warn });
		const baseImage = options.baseImage ?? (() => undefined);
		walkStages({ dockerfile, globals, baseImage, target: options.target }, linter);
		return undefined;
	} catch (error) {
		if (error instanceof DockerfileError) return error;
		throw error;
	}
}

function checkOptions(
	{ directives, file, source }: Pick<Dockerfile, "directives" | "file" | "source">,
	{ buildArgs }: LintOptions,
): CheckOptions {
	const argument = buildArgs.get(CHECK_ARGUMENT);
	const directive = directives.find(({ name }) => name === "check");
	const text = argument ?? directive?.value;
	if (text === undefined) return DEFAULT_CHECK;
	const options = parseCheckOptions(text);
	if (!("invalid" in options)) return options;
	const ranges = argument === undefined && directive !== undefined ? [directive.range] : [];
	throw new DockerfileError({ reason: `invalid check option "${options.invalid}"`, file, source, ranges });
}
