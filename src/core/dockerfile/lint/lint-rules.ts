/** The rules of BuildKit's `--check`: names, and what each of them says. */
import { type CheckOptions, parseCheckOptions, parseDirectiveText } from "../directives.ts";
import type { SourceRange } from "../source-range.ts";

interface Rule {
	readonly description: string;
	/** Off unless asked for. */
	readonly experimental?: true;
}

const DOCUMENTATION = "https://docs.docker.com/go/dockerfile/rule/";

export const LINT_RULES = {
	StageNameCasing: { description: "Names of stages are written in small letters" },
	FromAsCasing: { description: "AS is written in the same case as FROM" },
	NoEmptyContinuation: { description: "An instruction over several lines has no empty line in it" },
	ConsistentInstructionCasing: { description: "Instructions are all in capitals, or all in small letters" },
	DuplicateStageName: { description: "No two stages have the same name" },
	ReservedStageName: { description: "No stage is named as something that has a meaning already" },
	JSONArgsRecommended: {
		description: "CMD and ENTRYPOINT are JSON lists: signals reach a program, not the shell around it",
	},
	MaintainerDeprecated: { description: "An author is named with a label; MAINTAINER is deprecated" },
	UndefinedArgInFrom: { description: "FROM uses declared ARGs only" },
	WorkdirRelativePath: { description: "The first WORKDIR is absolute; a relative one depends on the base image" },
	UndefinedVar: { description: "Variables are set before they are used" },
	MultipleInstructionsDisallowed: { description: "Of some instructions only the last one in a stage counts" },
	LegacyKeyValueFormat: { description: "ENV and LABEL are written with =" },
	InvalidBaseImagePlatform: { description: "The base image is for the platform that is built for" },
	RedundantTargetPlatform: { description: "FROM builds for $TARGETPLATFORM without being told" },
	SecretsUsedInArgOrEnv: { description: "Secrets are mounted; ARG and ENV stay readable in the image" },
	InvalidDefaultArgInFrom: { description: "FROM names an image even when no build argument is given" },
	FromPlatformFlagConstDisallowed: {
		description: "FROM --platform takes a variable, so that the file builds for any platform",
	},
	CopyIgnoredFile: { description: "Files that are copied are not excluded by .dockerignore" },
	InvalidDefinitionDescription: {
		description: "A comment right above a stage or an argument begins with its name and describes it",
		experimental: true,
	},
	ExposeProtoCasing: { description: "Protocols of EXPOSE are written in small letters" },
	ExposeInvalidFormat: { description: "EXPOSE names ports of the container, without addresses and ports of the host" },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof LINT_RULES;

export interface LintWarning {
	readonly rule: RuleName;
	readonly description: string;
	readonly url: string;
	readonly message: string;
	readonly range: SourceRange;
}

export function ruleUrl(rule: RuleName): string {
	const words = rule.match(/JSON|[A-Z][a-z]*/g) ?? [];
	return `${DOCUMENTATION}${words.join("-").toLowerCase()}/`;
}

/** Whether a rule counts, by the file's `check` directive and `# check=skip=…` in the comment right above the instruction. */
export function isRuleOn(rule: RuleName, options: CheckOptions, comments: readonly string[] = []): boolean {
	const checks = [options, ...localChecks(comments)];
	const covers = (names: "all" | readonly string[]) => names === "all" || names.includes(rule);
	return "experimental" in LINT_RULES[rule]
		? checks.some(({ experimental }) => covers(experimental))
		: !checks.some(({ skip }) => covers(skip));
}

/** Text behind the options is for people: `# check=skip=all // not shipped`. */
function localChecks(comments: readonly string[]): CheckOptions[] {
	const directive = comments.map(parseDirectiveText).find((found) => found?.name === "check");
	const options = directive === undefined ? undefined : parseCheckOptions(directive.value.split(" ", 1)[0] ?? "");
	return options === undefined || "invalid" in options ? [] : [options];
}
