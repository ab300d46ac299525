import { IgnorePatterns, parseIgnoreFile } from "../../core/dockerfile/ignore-patterns.ts";
import { type LintResult, lintSource } from "../../core/dockerfile/lint/lint.ts";
import type { LintOptions } from "../../core/dockerfile/lint/lint-options.ts";
import { listTargets, outline } from "../../core/dockerfile/outline.ts";
import { parseDockerfile } from "../../core/dockerfile/parse-dockerfile.ts";
import { findingsJson, lineRange, outlineJson, targetsJson } from "../../core/dockerfile/report-json.ts";
import { parsePlatform } from "../../core/image/platform.ts";
import type { ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { layOutTable } from "../formatter/table.ts";
import { parseValues } from "../option-parser.ts";
import { optionRequest } from "./build-request.ts";
import { type DockerfileText, excerpt } from "./failure-text.ts";
import type { BuildSources } from "./sources.ts";

/** Node's names of processors as images have them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/**
 * `--check` and `--call`: what the Dockerfile says, without building and without a daemon.
 * @returns 1 when a check finds something
 */
export async function answerCall(
	context: CliContext,
	options: ParsedOptions,
	{ method, sources }: { readonly method: string; readonly sources: BuildSources },
): Promise<number> {
	const [name = "", ...settings] = method.split(",");
	const isJson = settings.includes("format=json");
	const unknown = settings.find((setting) => setting !== "format=json" && setting !== "format=text");
	if (unknown !== undefined) throw new Error(`invalid call value ${JSON.stringify(method)}: unknown option ${unknown}`);
	const { text: dockerfile } = sources;
	if (dockerfile === undefined)
		throw new Error(`--call=${name} reads the Dockerfile here: give it with -f - where the context is remote`);
	const lintOptions = optionsOf(options, context, sources);
	switch (name) {
		case "check":
		case "lint":
			return showFindings(context, dockerfile, { result: lintSource(dockerfile.text, checked(lintOptions)), isJson });
		case "targets":
			showTargets(context, dockerfile, isJson);
			return 0;
		case "outline":
			showOutline(context, dockerfile, { options: lintOptions, isJson });
			return 0;
		default:
			throw new Error(`invalid call value ${JSON.stringify(name)}: build, check, outline or targets`);
	}
}

/** Without --target every stage is checked, and not only what the last one needs. */
function checked({ target, ...options }: ReturnType<typeof optionsOf>): LintOptions & { readonly file: string } {
	return target === "" ? options : { ...options, target };
}

function optionsOf(
	options: ParsedOptions,
	context: CliContext,
	sources: BuildSources,
): LintOptions & { readonly file: string; readonly target: string } {
	const { environment } = context;
	const { buildArgs } = optionRequest(options, { environment, proxies: {}, outputs: [] });
	const here = { os: "linux", architecture: ARCHITECTURES[process.arch] ?? process.arch };
	const wanted = parseValues(options, "platform", (text) => parsePlatform(text.split(",")[0] ?? ""))[0];
	const files = sources.context?.kind === "directory" ? sources.context.files : {};
	const ignore = files[`${sources.text?.name}.dockerignore`] ?? files[".dockerignore"];
	return {
		file: sources.text?.name ?? "Dockerfile",
		target: options.text("target"),
		buildArgs: new Map(Object.entries(buildArgs)),
		buildPlatform: here,
		targetPlatform: wanted ?? here,
		...(ignore === undefined || ignore === null ? {} : { ignore: new IgnorePatterns(parseIgnoreFile(ignore)) }),
	};
}

function showFindings(
	context: CliContext,
	dockerfile: DockerfileText,
	{ result, isJson }: { readonly result: LintResult; readonly isJson: boolean },
): number {
	const { stdout } = context;
	const { warnings, error } = result;
	const code = warnings.length > 0 || error !== undefined ? 1 : 0;
	if (isJson) {
		stdout.line(JSON.stringify(findingsJson(result, dockerfile), null, 2));
		return code;
	}
	const count = warnings.length === 1 ? "1 warning has" : `${warnings.length} warnings have`;
	if (warnings.length === 0 && error === undefined) stdout.line("Check complete, no warnings found.");
	else if (warnings.length > 0) stdout.line(`Check complete, ${count} been found!`);
	for (const { rule, url, message, range } of warnings)
		stdout.line(`\nWARNING: ${rule} - ${url}\n${message}\n${excerpt(dockerfile, lineRange(range))}`);
	if (error !== undefined) stdout.line(`\nERROR: ${error.message}`);
	return code;
}

function showTargets(context: CliContext, dockerfile: DockerfileText, isJson: boolean): void {
	const targets = listTargets(parseDockerfile(dockerfile.text, { file: dockerfile.name }));
	if (isJson) {
		context.stdout.line(JSON.stringify(targetsJson(targets, dockerfile), null, 2));
		return;
	}
	const rows = targets.map(({ name, isDefault, description }) => [
		`${name === "" ? "(default)" : name}${isDefault && name !== "" ? " (default)" : ""}`,
		description,
	]);
	context.stdout.write(layOutTable([["TARGET", "DESCRIPTION"], ...rows]));
}

function showOutline(
	context: CliContext,
	dockerfile: DockerfileText,
	{ options, isJson }: { readonly options: LintOptions & { readonly target: string }; readonly isJson: boolean },
): void {
	const { stdout } = context;
	const known = outline(parseDockerfile(dockerfile.text, { file: dockerfile.name }), options);
	if (isJson) {
		stdout.line(JSON.stringify(outlineJson(known, dockerfile), null, 2));
		return;
	}
	const blocks: string[] = [];
	const head: string[][] = [];
	if (known.name !== "") head.push(["TARGET:", known.name]);
	if (known.description !== "") head.push(["DESCRIPTION:", known.description]);
	if (head.length > 0) blocks.push(layOutTable(head));
	if (known.args.length > 0)
		blocks.push(
			layOutTable([
				["BUILD ARG", "VALUE", "DESCRIPTION"],
				...known.args.map(({ name, value, description }) => [name, value, description]),
			]),
		);
	const needs = (title: string, entries: readonly { readonly id: string; readonly required: boolean }[]) => {
		if (entries.length === 0) return;
		blocks.push(layOutTable([[title, "REQUIRED"], ...entries.map(({ id, required }) => [id, String(required)])]));
	};
	needs("SECRET", known.secrets);
	needs("SSH", known.ssh);
	if (known.caches.length > 0)
		blocks.push(
			layOutTable([
				["CACHE", "TARGET", "SHARING"],
				...known.caches.map(({ id, target, sharing }) => [id, target, sharing]),
			]),
		);
	stdout.write(blocks.join("\n"));
}
