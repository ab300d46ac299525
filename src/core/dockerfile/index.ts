/** `gantry/dockerfile`: the Dockerfile language as a library, described in `docs/dockerfile.md`. */
// biome-ignore-start lint/performance/noBarrelFile: what a package offers is one module
export {
	type BuildArgumentOptions,
	type DeclaredArg,
	type ExpandedFrom,
	expandFrom,
	GlobalArguments,
	MapVariables,
	StageVariables,
} from "./build-arguments.ts";
export type { CheckOptions } from "./directives.ts";
export { DockerfileError } from "./dockerfile-error.ts";
export { type Expanded, expandInstruction, expandMounts, expandPorts } from "./expand-instruction.ts";
export { IgnorePatterns, parseIgnoreFile } from "./ignore-patterns.ts";
export { type LintResult, lint, lintSource } from "./lint/lint.ts";
export type { LintBaseImage, LintOptions } from "./lint/lint-options.ts";
export { LINT_RULES, type LintWarning, type RuleName } from "./lint/lint-rules.ts";
export { listTargets, type Outline, outline, type Target } from "./outline.ts";
export { type ParseOptions, parseDockerfile, parseTrigger } from "./parse-dockerfile.ts";
export { cleanPath, PathGlob } from "./path-glob.ts";
export { type PrintableDockerfile, printDockerfile } from "./printer/print-dockerfile.ts";
export type { Position, SourceRange } from "./source-range.ts";
export type * from "./syntax.ts";
export { heredocText } from "./syntax.ts";
export { type Expansion, type ExpansionOptions, expandWord, type Variables } from "./word-expansion.ts";
// biome-ignore-end lint/performance/noBarrelFile: what a package offers is one module
