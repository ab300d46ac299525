/** Rules about what happens in stages: variables, working directories, commands, ports, files. */
import type { Platform } from "../../../api/oci/image.ts";
import { EngineError } from "../../../base/errors.ts";
import { nearest } from "../../../base/nearest-word.ts";
import { formatPlatform, parsePlatform } from "../../image/platform.ts";
import { parseReference } from "../../image/reference.ts";
import { type ExpandedFrom, GlobalArguments, type StageVariables } from "../build-arguments.ts";
import { DockerfileError } from "../dockerfile-error.ts";
import { cleanPath } from "../path-glob.ts";
import { parentStage, type StageVisitor, type WalkedStep } from "../stage-walk.ts";
import type { Dockerfile, Instruction, Stage } from "../syntax.ts";
import { expandWord } from "../word-expansion.ts";
import type { LintOptions, Warn } from "./lint-options.ts";

export interface StageLinterInput {
	readonly dockerfile: Dockerfile;
	readonly globals: GlobalArguments;
	readonly options: LintOptions;
	readonly warn: Warn;
}

/** As a whole word between underscores. */
const SECRET_WORDS = [
	"apikey",
	"auth",
	"credential",
	"credentials",
	"key",
	"password",
	"pword",
	"passwd",
	"secret",
	"token",
];
/** Words that make it no secret. */
const PUBLIC_WORDS = ["public", "file", "version"];
const REMOTE_SOURCE = /^(https?|git|ssh):\/\/|^git@/;
/** Patterns that leave nothing of the context. */
const EVERYTHING = ["*", "**", "**/*"];

export class StageLinter implements StageVisitor {
	readonly #input: StageLinterInput;
	/** The last CMD, ENTRYPOINT and HEALTHCHECK of each stage. */
	readonly #lastOf = new Map<string, Instruction>();

	constructor(input: StageLinterInput) {
		this.#input = input;
		checkDefaultBases(input);
	}

	from(stage: Stage, from: ExpandedFrom): void {
		this.#checkFromArgs(stage, from);
		this.#checkFromPlatform(stage);
		this.#checkBasePlatform(stage, from);
	}

	step(step: WalkedStep): void {
		this.#checkVariables(step);
		const { instruction, expanded, walked } = step;
		const warn = this.#warnAt(instruction);
		switch (expanded.kind) {
			case "cmd":
			case "entrypoint":
				this.#checkOnlyOne(step);
				if (expanded.command.form === "shell" && walked.shell === undefined)
					warn(
						"JSONArgsRecommended",
						`${expanded.kind.toUpperCase()} should be a JSON list, so that the program gets the signals and not a shell`,
					);
				break;
			case "healthcheck":
				this.#checkOnlyOne(step);
				break;
			case "env":
			case "label":
				if (expanded.legacy) {
					const name = expanded.kind.toUpperCase();
					warn("LegacyKeyValueFormat", `Write "${name} key=value" instead of "${name} key value"`);
				}
				if (expanded.kind === "env") for (const { key } of expanded.pairs) this.#checkSecret("ENV", key, instruction);
				break;
			case "arg":
				for (const { name } of expanded.args) this.#checkSecret("ARG", name, instruction);
				break;
			case "workdir":
				if (!walked.workdirSet && !expanded.path.startsWith("/"))
					warn("WorkdirRelativePath", `Relative path "${expanded.path}": where it leads depends on the base image`);
				break;
			case "copy":
			case "add":
				if (expanded.kind === "add" || expanded.from === undefined)
					for (const source of expanded.sources) this.#checkIgnored(expanded.kind, source, instruction);
				break;
			case "expose":
				for (const port of step.ports) this.#checkPort(port, instruction);
				break;
			default:
		}
	}

	#warnAt({ range, comments }: Instruction) {
		return (rule: Parameters<Warn>[0], message: string) => this.#input.warn(rule, message, range, comments);
	}

	#checkFromArgs({ from }: Stage, { unmatched }: ExpandedFrom): void {
		const { globals } = this.#input;
		const names = new Set([...globals.names(), ...globals.declared.keys()]);
		for (const name of unmatched) {
			if (names.has(name)) continue;
			const hint = didYouMean(nearest(name, names));
			this.#warnAt(from)("UndefinedArgInFrom", `FROM uses '${name}', which no ARG before it declares${hint}`);
		}
	}

	#checkFromPlatform({ name, from }: Stage): void {
		if (from.platform === undefined) return;
		const { dockerfile, globals } = this.#input;
		const { text, matched, unmatched } = expandWord(from.platform, globals, { escape: dockerfile.escape });
		const warn = this.#warnAt(from);
		if (matched.size === 1 && unmatched.size === 0 && matched.has("TARGETPLATFORM")) {
			if (text === globals.get("TARGETPLATFORM"))
				warn("RedundantTargetPlatform", `--platform=${from.platform} is what FROM does anyway`);
			return;
		}
		if (matched.size > 0 || unmatched.size > 0) return;
		const platform = platformOf(text);
		// A stage that is named after its platform is meant for it.
		if (platform === undefined || name.includes(platform.os) || name.includes(platform.architecture)) return;
		warn("FromPlatformFlagConstDisallowed", `FROM --platform should not be the constant "${text}"`);
	}

	#checkBasePlatform(stage: Stage, { base, platform }: ExpandedFrom): void {
		const { dockerfile, options, warn } = this.#input;
		if (base === "scratch" || parentStage(dockerfile, stage.index, base) !== undefined) return;
		const actual = options.baseImage?.(base)?.platform;
		const expected = platform === undefined ? options.targetPlatform : platformOf(platform);
		if (actual === undefined || expected === undefined) return;
		if (actual.os === expected.os && actual.architecture === expected.architecture) return;
		const message = `Base image ${base} is for "${formatPlatform(actual)}", and "${formatPlatform(expected)}" is built for`;
		warn("InvalidBaseImagePlatform", message, stage.from.range);
	}

	#checkVariables({ unmatched, instruction, walked }: WalkedStep): void {
		for (const name of unmatched)
			this.#warnAt(instruction)(
				"UndefinedVar",
				`Nothing sets the variable '$${name}'${suggest(name, walked.variables)}`,
			);
	}

	/** The one that does not count gets the warning. */
	#checkOnlyOne({ instruction, walked }: WalkedStep): void {
		const key = `${walked.stage.index} ${instruction.kind}`;
		const previous = this.#lastOf.get(key);
		this.#lastOf.set(key, instruction);
		if (previous === undefined) return;
		const message = `There are several ${instruction.keyword} in this stage, and only the last one counts`;
		this.#input.warn("MultipleInstructionsDisallowed", message, previous.range, instruction.comments);
	}

	#checkSecret(keyword: string, name: string, instruction: Instruction): void {
		const words = name.toLowerCase().split("_");
		const has = (list: readonly string[]) => words.some((word) => list.includes(word));
		if (has(SECRET_WORDS) && !has(PUBLIC_WORDS))
			this.#warnAt(instruction)(
				"SecretsUsedInArgOrEnv",
				`${keyword} "${name}" looks like a secret, and anyone who has the image can read it`,
			);
	}

	/** With exceptions it depends on what is in a directory, so nothing is said. */
	#checkIgnored(kind: string, source: string, instruction: Instruction): void {
		const { ignore } = this.#input.options;
		if (ignore === undefined || ignore.hasExceptions || REMOTE_SOURCE.test(source)) return;
		const path = cleanPath(source);
		const isRoot = path === "." || path === "/";
		const isIgnored = isRoot ? ignore.patterns.some((pattern) => EVERYTHING.includes(pattern)) : ignore.matches(path);
		if (isIgnored)
			this.#warnAt(instruction)("CopyIgnoredFile", `${kind.toUpperCase()} of "${path}", which .dockerignore excludes`);
	}

	#checkPort(port: string, instruction: Instruction): void {
		const warn = this.#warnAt(instruction);
		const colon = port.lastIndexOf(":");
		const [, protocol = ""] = port.slice(colon + 1).split("/");
		if (protocol !== protocol.toLowerCase())
			warn("ExposeProtoCasing", `The protocol in '${port}' should be in lowercase`);
		if (colon >= 0)
			warn("ExposeInvalidFormat", `'${port}' has an address or a port of the host, which EXPOSE has no use for`);
	}
}

/** Whether FROM names an image when no build argument is given. */
function checkDefaultBases({ dockerfile, options, warn }: StageLinterInput): void {
	let globals: GlobalArguments;
	try {
		// Those of the platform may be overridden all the same.
		const platform = new Map([...options.buildArgs].filter(([name]) => /^(BUILD|TARGET)[A-Z]+$/.test(name)));
		globals = GlobalArguments.of(dockerfile, { ...options, buildArgs: platform });
	} catch (error) {
		// The build fails at it, which is said elsewhere.
		if (error instanceof DockerfileError) return;
		throw error;
	}
	for (const { from } of dockerfile.stages) {
		let base: string;
		try {
			base = expandWord(from.base, globals, { escape: dockerfile.escape }).text;
		} catch (error) {
			if (error instanceof DockerfileError) return;
			throw error;
		}
		if (!isReference(base))
			warn("InvalidDefaultArgInFrom", `Without build arguments, ${from.base} is not the name of an image`, from.range);
	}
}

function isReference(text: string): boolean {
	try {
		parseReference(text);
		return true;
	} catch (error) {
		if (error instanceof EngineError) return false;
		throw error;
	}
}

function platformOf(text: string): Platform | undefined {
	try {
		return parsePlatform(text);
	} catch (error) {
		// The build fails at it, which is said elsewhere.
		if (error instanceof EngineError) return undefined;
		throw error;
	}
}

function suggest(name: string, variables: StageVariables): string {
	// ENV may have set it since.
	const near = nearest(
		name,
		[...variables.names()].filter((other) => other !== name),
	);
	return didYouMean(near === undefined ? undefined : `$${near}`);
}

function didYouMean(word: string | undefined): string {
	return word === undefined ? "" : ` (did you mean ${word}?)`;
}
