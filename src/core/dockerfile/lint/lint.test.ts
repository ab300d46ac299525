/** What depends on facts from outside the file; the rest is in `test/golden/dockerfile/lint-*`. */
import { expect, test } from "bun:test";
import { IgnorePatterns } from "../ignore-patterns.ts";
import { parseDockerfile } from "../parse-dockerfile.ts";
import { lint, lintSource } from "./lint.ts";
import type { LintOptions } from "./lint-options.ts";
import { LINT_RULES, ruleUrl } from "./lint-rules.ts";

const LINUX = { os: "linux", architecture: "amd64" };
const OPTIONS: LintOptions = { buildArgs: new Map(), buildPlatform: LINUX, targetPlatform: LINUX };

function rules(text: string, options: Partial<LintOptions> = {}): string[] {
	return lintSource(text, { ...OPTIONS, ...options }).warnings.map(({ rule, range }) => `${rule} ${range.start.line}`);
}

const ignored: readonly (readonly [patterns: readonly string[], text: string, expected: readonly string[]])[] = [
	[["secret"], "FROM x\nCOPY secret /\nADD ./secret/deep /", ["CopyIgnoredFile 2", "CopyIgnoredFile 3"]],
	[["secret", "!secret/keep"], "FROM x\nCOPY secret /", []],
	[["secret"], "FROM x AS a\nFROM x\nCOPY --from=a secret /", []],
	[["*.iso"], "FROM x\nADD https://example.com/a.iso /\nADD git@example.com:x.iso /", []],
	[["*"], "FROM x\nCOPY . /", ["CopyIgnoredFile 2"]],
	[[".*"], "FROM x\nCOPY . /", []],
	[["secret"], "FROM x\nARG S=secret\nCOPY $S /", ["CopyIgnoredFile 3"]],
];
test.each(ignored)("with %j ignored: %s", (patterns, text, expected) => {
	expect(rules(text, { ignore: new IgnorePatterns(patterns) })).toEqual([...expected]);
});

test("a base image brings its environment, shell and triggers", () => {
	const facts = { environment: ["FROM_BASE=1"], shell: undefined, triggers: [], platform: LINUX };
	const text = "FROM base\nWORKDIR /$FROM_BASE\nCMD x";
	expect(rules(text)).toEqual(["UndefinedVar 2", "JSONArgsRecommended 3"]);
	expect(rules(text, { baseImage: () => ({ ...facts, shell: ["/bin/bash", "-c"] }) })).toEqual([]);
	expect(rules("FROM base", { baseImage: () => ({ ...facts, triggers: ["ENV old style"] }) })).toEqual([
		"LegacyKeyValueFormat 1",
	]);
});

test("a base image for another platform", () => {
	const arm = { environment: [], shell: undefined, triggers: [], platform: { os: "linux", architecture: "arm64" } };
	const { warnings } = lintSource("FROM base\nFROM --platform=linux/arm64 base AS arm64", {
		...OPTIONS,
		baseImage: () => arm,
	});
	expect(warnings.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
		'InvalidBaseImagePlatform: Base image base is for "linux/arm64", and "linux/amd64" is built for',
	]);
});

test("a target leaves out the stages that it does not need", () => {
	const text = "FROM scratch AS a\nENV old style\nFROM scratch AS b\nENV old style";
	expect(rules(text)).toEqual(["LegacyKeyValueFormat 2", "LegacyKeyValueFormat 4"]);
	expect(rules(text, { target: "" })).toEqual(["LegacyKeyValueFormat 4"]);
	expect(rules(text, { target: "a" })).toEqual(["LegacyKeyValueFormat 2"]);
});

test("build arguments count, but not for what FROM is without them", () => {
	const text = "ARG V\nFROM alpine:$V";
	expect(rules(text, { buildArgs: new Map([["V", "3"]]) })).toEqual(["InvalidDefaultArgInFrom 2"]);
	expect(rules('ARG V=""\nFROM alpine:3$V', { buildArgs: new Map([["V", "3"]]) })).toEqual([]);
});

test("options of check: the file's, a build argument's, the caller's", () => {
	const text = "# check=skip=LegacyKeyValueFormat;error=true\nFROM scratch\nENV old style\nMAINTAINER x";
	const file = lintSource(text, OPTIONS);
	expect([file.failed, file.warnings.map(({ rule }) => rule)]).toEqual([true, ["MaintainerDeprecated"]]);
	const argument = new Map([["BUILDKIT_DOCKERFILE_CHECK", "skip=MaintainerDeprecated"]]);
	const overridden = lintSource(text, { ...OPTIONS, buildArgs: argument });
	expect([overridden.failed, overridden.warnings.map(({ rule }) => rule)]).toEqual([false, ["LegacyKeyValueFormat"]]);
	const check = { skip: "all", experimental: [], error: true } as const;
	expect(lint(parseDockerfile(text), { ...OPTIONS, check })).toEqual({ warnings: [], error: undefined, failed: false });
});

test("every rule has its page", () => {
	expect(Object.keys(LINT_RULES)).toHaveLength(22);
	expect(ruleUrl("JSONArgsRecommended")).toEndWith("/json-args-recommended/");
	expect(ruleUrl("FromPlatformFlagConstDisallowed")).toEndWith("/from-platform-flag-const-disallowed/");
});
