import { randomUUID } from "node:crypto";
import type { BuildCall } from "../../core/build/session/build-call.ts";
import type { Command, ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { parseValues } from "../option-parser.ts";
import { ExitError } from "../usage-error.ts";
import { BUILD_OPTIONS } from "./build-options.ts";
import { optionRequest } from "./build-request.ts";
import { openCaches } from "./cache-directories.ts";
import { failureText, warningsText } from "./failure-text.ts";
import { parseOutputs } from "./output-options.ts";
import { runBuild, type WireResult } from "./run-build.ts";
import { checkSecrets, parseSecret, parseSsh } from "./secret-options.ts";
import { progressKind, startProgress } from "./show-progress.ts";
import { type BuildSources, openSources } from "./sources.ts";

export const command: Command = {
	usage: "[OPTIONS] PATH | URL | -",
	description:
		"The Dockerfile is PATH/Dockerfile unless -f names another. Of the files at PATH only those are sent that the Dockerfile\n" +
		"can use, that .dockerignore does not leave out, and that changed since the last build.",
	examples: [
		"gantry build -t web:1 .",
		"gantry build -f docker/Dockerfile --target test --build-arg VERSION=2 .",
		"gantry build --secret id=token,src=token.txt -t app .",
		"gantry build -o out --target artifacts .",
		"gantry build --check .",
		"gantry build -t tool - < Dockerfile",
		"tar -cz . | gantry build -t app -",
		"gantry build -t app https://host/project.git#main:docker",
	],
	options: BUILD_OPTIONS,
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [path = ""]) {
		const sources = await openSources({
			context: path,
			file: options.text("file"),
			named: options.list("build-context"),
			stdin: () => Bun.stdin.stream(),
		});
		const method = options.bool("check") ? "check" : options.text("call") || "build";
		if (method !== "build") {
			const { answerCall } = await import("./call.ts");
			return await answerCall(context, options, { method, sources });
		}
		return await build(context, options, sources);
	},
};

async function build(context: CliContext, options: ParsedOptions, sources: BuildSources): Promise<number> {
	const { environment, stdout, stderr } = context;
	const outputs = parseValuesOfOutputs(options);
	const secrets = parseValues(options, "secret", (text) => parseSecret(text, environment));
	const plain = optionRequest(options, { environment, proxies: await proxies(context), outputs });
	const caches = await openCaches(plain.cacheFrom, plain.cacheTo);
	for (const path of caches.missing) stderr.line(`WARNING: there is no cache in ${path}`);
	const call: BuildCall = {
		method: "build",
		id: randomUUID(),
		dockerfile: sources.dockerfile,
		context: sources.context,
		namedContexts: sources.namedContexts,
		...plain,
		cacheFrom: caches.sources,
	};
	const kind = progressKind(options.text("progress"), { isQuiet: options.bool("quiet"), environment });
	await checkDestinations(outputs);
	await checkSecrets(secrets);
	await using agents = await openAgents(context, options);
	const offer = {
		directories: new Map([...sources.directories, ...caches.directories]),
		archives: sources.archives,
		secrets,
		ssh: agents.agents,
		outputs: [...outputs, ...caches.outputs],
	};
	const progress = await startProgress(context, kind);
	const { view } = progress;
	const outcome = await runBuild(context, call, { offer, view }).finally(() => progress.stop());
	if ("failure" in outcome) {
		const { state } = view;
		throw new ExitError(1, failureText(outcome.failure, { dockerfile: sources.text, state }));
	}
	if (kind === "plain" || kind === "tty") {
		stderr.write(warningsText(view.state));
		const { unusedBuildArgs } = outcome.result;
		if (unusedBuildArgs.length > 0)
			stderr.line(`[Warning] One or more build-args [${unusedBuildArgs.join(" ")}] were not consumed`);
	}
	await writeResult(options, outcome.result);
	const hasArchive = outputs.some(({ destination }) => destination?.kind === "stdout");
	if (kind === "quiet" && !hasArchive && outcome.result.digest !== "") stdout.line(outcome.result.digest);
	return 0;
}

function parseValuesOfOutputs(options: ParsedOptions) {
	const checked = parseValues(options, "output", (text) => {
		parseOutputs([text], { push: false, load: false });
		return text;
	});
	return parseOutputs(checked, { push: options.bool("push"), load: options.bool("load") });
}

/** Before anything is built. @throws Error */
async function checkDestinations(outputs: ReturnType<typeof parseOutputs>): Promise<void> {
	if (!outputs.some(({ destination }) => destination?.kind === "stdout")) return;
	const { isTerminal } = await import("../terminal.ts");
	if (isTerminal(1)) throw new Error("dest file is required: refusing to write an archive to the terminal");
}

/** Loaded only where `--ssh` asks for it. */
async function openAgents(context: CliContext, options: ParsedOptions) {
	const sources = parseValues(options, "ssh", parseSsh);
	if (sources.length === 0) return { agents: undefined, async [Symbol.asyncDispose]() {} };
	const { SshAgents } = await import("./ssh-agents.ts");
	const agents = await SshAgents.open(sources, context.environment);
	return { agents, [Symbol.asyncDispose]: () => agents[Symbol.asyncDispose]() };
}

/** Of config.json: those for this daemon's address, else the default ones. */
async function proxies(context: CliContext): Promise<Record<string, string>> {
	const all = (await context.config()).proxies ?? {};
	const host = context.globals.host || context.environment["DOCKER_HOST"] || "";
	return all[host] ?? all["default"] ?? {};
}

async function writeResult(options: ParsedOptions, { digest, metadata }: WireResult): Promise<void> {
	const iidFile = options.text("iidfile");
	const metadataFile = options.text("metadata-file");
	if (iidFile !== "") await Bun.write(iidFile, digest);
	if (metadataFile !== "") await Bun.write(metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
}
