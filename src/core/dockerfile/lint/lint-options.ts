/** What the linter is told, and how it tells. */
import type { Platform } from "../../../api/oci/image.ts";
import type { BuildArgumentOptions } from "../build-arguments.ts";
import type { CheckOptions } from "../directives.ts";
import type { IgnorePatterns } from "../ignore-patterns.ts";
import type { SourceRange } from "../source-range.ts";
import type { BaseImageFacts } from "../stage-walk.ts";
import type { RuleName } from "./lint-rules.ts";

/** What is known of a base image, for the rules that ask. */
export interface LintBaseImage extends BaseImageFacts {
	/** What it was made for. */
	readonly platform: Platform | undefined;
}

export interface LintOptions extends BuildArgumentOptions {
	/** Instead of the file's `check` directive. */
	readonly check?: CheckOptions;
	/** Only what this stage needs; "" is the last one. Every stage by default. */
	readonly target?: string;
	/** Of the context's `.dockerignore`. */
	readonly ignore?: IgnorePatterns;
	readonly baseImage?: (reference: string) => LintBaseImage | undefined;
}

/** Notes a warning if its rule counts there. `comments`: those above the instruction, which may turn rules off. */
export type Warn = (rule: RuleName, message: string, range: SourceRange, comments?: readonly string[]) => void;
