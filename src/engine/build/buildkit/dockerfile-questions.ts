/** What a client asks about a Dockerfile in place of building it: `--check`, `--call outline`, `--call targets`. */

import type { Platform } from "../../../api/oci/image.ts";
import { NotImplementedError } from "../../../base/errors.ts";
import type { FrontendRequest } from "../../../core/build/buildkit/frontend-options.ts";
import type { BuildContext } from "../../../core/build/context.ts";
import { IgnorePatterns } from "../../../core/dockerfile/ignore-patterns.ts";
import { lintSource } from "../../../core/dockerfile/lint/lint.ts";
import { listTargets, outline } from "../../../core/dockerfile/outline.ts";
import { findingsJson, outlineJson, targetsJson } from "../../../core/dockerfile/report-json.ts";
import { type BuildDefinition, readDefinition } from "../build-preparation.ts";

const VERSION = "1.0.0";

/** @returns `result.json` and what else belongs to the answer. @throws NotImplementedError, DockerfileError, NotFoundError */
export async function answerQuestion(
	{ question, filename, request }: FrontendRequest,
	context: BuildContext,
	buildPlatform: Platform,
): Promise<ReadonlyMap<string, Uint8Array>> {
	if (question === DESCRIBE) return describe();
	const answers = ANSWERS[question];
	if (answers === undefined) throw new NotImplementedError(`unsupported request ${question}`);
	const definition = await readDefinition({ dockerfile: { kind: "context", path: filename }, context });
	const { json, statusCode } = answers({
		...definition,
		filename,
		target: request.target,
		buildArgs: request.buildArgs,
		buildPlatform,
		targetPlatform: request.platforms[0] ?? buildPlatform,
	});
	return new Map([
		["result.json", text(JSON.stringify(json, null, 2))],
		["result.txt", text(JSON.stringify(json, null, 2))],
		["version", text(VERSION)],
		...(statusCode === undefined ? [] : [["result.statuscode", text(String(statusCode))] as const]),
	]);
}

const text = (value: string) => new Uint8Array(Buffer.from(value));

/** What can be asked. */
function describe(): ReadonlyMap<string, Uint8Array> {
	const requests = Object.entries(DESCRIPTIONS).map(([name, description]) => ({
		name,
		version: VERSION,
		type: "rpc",
		description,
		opts: [],
		metadata: [{ name: "result.json" }, { name: "result.txt" }],
	}));
	const lines = requests.map(({ name, version, description }) => `${name}\t${version}\t${description}\n`);
	return new Map([
		["result.json", text(JSON.stringify(requests, null, 2))],
		["result.txt", text(["NAME\tVERSION\tDESCRIPTION\n", ...lines].join(""))],
		["version", text(VERSION)],
	]);
}

const DESCRIBE = "frontend.subrequests.describe";
const DESCRIPTIONS: Readonly<Record<string, string>> = {
	"frontend.lint": "Check the Dockerfile",
	"frontend.outline": "List what a build of the target can be given",
	"frontend.targets": "List the stages that can be built",
	[DESCRIBE]: "List what can be asked",
};

interface Question extends BuildDefinition {
	readonly filename: string;
	readonly target: string;
	readonly buildArgs: ReadonlyMap<string, string>;
	readonly buildPlatform: Platform;
	readonly targetPlatform: Platform;
}

interface Answer {
	readonly json: unknown;
	readonly statusCode?: number;
}

const ANSWERS: Readonly<Record<string, (question: Question) => Answer>> = {
	"frontend.lint": ({ dockerfile, ignore, target, filename, ...options }) => {
		const text = dockerfile.source;
		// Without a target every stage is checked, and not only what the last one needs.
		const targeted = target === "" ? {} : { target };
		const result = lintSource(text, { ...options, ...targeted, file: filename, ignore: new IgnorePatterns(ignore) });
		const isClean = result.warnings.length === 0 && result.error === undefined;
		return { json: findingsJson(result, { name: filename, text }), statusCode: isClean ? 0 : 1 };
	},
	"frontend.outline": ({ dockerfile, filename, ...options }) => ({
		json: outlineJson(outline(dockerfile, options), { name: filename, text: dockerfile.source }),
	}),
	"frontend.targets": ({ dockerfile, filename }) => ({
		json: targetsJson(listTargets(dockerfile), { name: filename, text: dockerfile.source }),
	}),
};
