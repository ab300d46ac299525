/** From the text of one instruction to its typed form. */
import { nearest } from "../../../base/nearest-word.ts";
import { trimSpace } from "../characters.ts";
import type {
	ArgInstruction,
	CommandLine,
	FromInstruction,
	Instruction,
	KeyValue,
	VolumeInstruction,
} from "../syntax.ts";
import type { InstructionContext } from "./instruction-context.ts";
import { parseCommandLine, parseJsonList, plainWords, quotedWords, type Word } from "./instruction-words.ts";
import { parseAdd, parseCopy } from "./parse-files.ts";
import { parseHealthcheck } from "./parse-healthcheck.ts";
import { parseOnbuild } from "./parse-onbuild.ts";
import { parseRun } from "./parse-run.ts";

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

const PARSERS: Readonly<Record<string, (context: InstructionContext) => Instruction>> = {
	FROM: parseFrom,
	RUN: parseRun,
	CMD: (context) => ({ ...context.base, kind: "cmd", command: command(context) }),
	LABEL: (context) => ({ ...context.base, kind: "label", ...pairs(context) }),
	MAINTAINER: (context) => ({ ...context.base, kind: "maintainer", name: argument(context) }),
	EXPOSE: (context) => ({ ...context.base, kind: "expose", ports: words(context) }),
	ENV: (context) => ({ ...context.base, kind: "env", ...pairs(context) }),
	ADD: parseAdd,
	COPY: parseCopy,
	ENTRYPOINT: (context) => ({ ...context.base, kind: "entrypoint", command: command(context) }),
	VOLUME: parseVolume,
	USER: (context) => ({ ...context.base, kind: "user", user: argument(context) }),
	WORKDIR: (context) => ({ ...context.base, kind: "workdir", path: argument(context) }),
	ARG: parseArg,
	ONBUILD: parseOnbuild,
	STOPSIGNAL: (context) => ({ ...context.base, kind: "stopsignal", signal: argument(context) }),
	HEALTHCHECK: parseHealthcheck,
	SHELL: (context) => ({ ...context.base, kind: "shell", shell: shell(context) }),
};

export const INSTRUCTION_NAMES: readonly string[] = Object.keys(PARSERS);

/** @throws DockerfileError */
export function parseInstruction(context: InstructionContext): Instruction {
	const parse = Object.hasOwn(PARSERS, context.name) ? PARSERS[context.name] : undefined;
	if (parse !== undefined) return parse(context);
	const { keyword } = context.split;
	const near = nearest(context.name, INSTRUCTION_NAMES);
	const suggestion = near !== undefined && keyword.text === keyword.text.toLowerCase() ? near.toLowerCase() : near;
	throw context.unknownInstruction(suggestion);
}

function parseFrom(context: InstructionContext): FromInstruction {
	const { platform } = context.flags({ platform: "text" });
	const [base, keyword, name, ...more] = plainWords(context.rest);
	const isNamed = keyword?.text.toLowerCase() === "as" && name !== undefined;
	if (base === undefined || more.length > 0 || (keyword !== undefined && !isNamed))
		throw context.problem("FROM requires either one or three arguments");
	if (isNamed && !STAGE_NAME.test(name.text.toLowerCase()))
		throw context.problem(
			`invalid name for build stage: "${name.text}", name can't start with a number or contain symbols`,
			name,
		);
	const as = isNamed ? { keyword: keyword.text, name: name.text } : undefined;
	return { ...context.base, kind: "from", base: base.text, as, platform };
}

function command(context: InstructionContext): CommandLine {
	context.flags({});
	const line = parseCommandLine(context.rest.text);
	if (line === "not texts") throw notTexts(context);
	return line;
}

function shell(context: InstructionContext): readonly string[] {
	const line = command(context);
	if (line.form === "shell" && line.line !== "")
		throw context.problem("SHELL requires the arguments to be in JSON form");
	if (line.form === "shell" || line.arguments.length === 0) throw context.atLeastOne();
	return line.arguments;
}

function argument(context: InstructionContext): string {
	context.flags({});
	return context.onlyArgument();
}

function words(context: InstructionContext): string[] {
	context.flags({});
	const list = plainWords(context.rest);
	if (list.length === 0) throw context.atLeastOne();
	return list.map(({ text }) => text);
}

function parseVolume(context: InstructionContext): VolumeInstruction {
	context.flags({});
	const list = parseJsonList(context.rest.text);
	if (list === "not texts") throw notTexts(context);
	const paths = (list ?? plainWords(context.rest).map(({ text }) => text)).map(trimSpace);
	if (paths.length === 0) throw context.atLeastOne();
	if (paths.includes("")) throw context.problem("VOLUME specified can not be an empty string");
	return { ...context.base, kind: "volume", paths, json: list !== undefined };
}

/** `key=value key2="value 2"`, or the old form `key the rest`. */
function pairs(context: InstructionContext): { readonly pairs: readonly KeyValue[]; readonly legacy: boolean } {
	context.flags({});
	const list = quotedWords(context.rest, context.escape);
	const [first] = list;
	if (first === undefined) throw context.atLeastOne();
	if (first.text.includes("=")) return { pairs: list.map((word) => pair(context, word)), legacy: false };
	const match = /^([^\t\v\f\r ]*)[\t\v\f\r ]+([\s\S]*)$/.exec(context.rest.text);
	if (match === null) throw context.problem(`${context.name} must have two arguments`);
	const [, key = "", value = ""] = match;
	return { pairs: [{ key, value }], legacy: true };
}

function pair(context: InstructionContext, word: Word): KeyValue {
	const at = word.text.indexOf("=");
	if (at < 0) throw context.problem(`can't find = in "${word.text}". Must be of the form: name=value`, word);
	if (at === 0) throw context.problem(`${context.name} names can not be blank`, word);
	return { key: word.text.slice(0, at), value: word.text.slice(at + 1) };
}

function parseArg(context: InstructionContext): ArgInstruction {
	context.flags({});
	const list = quotedWords(context.rest, context.escape);
	if (list.length === 0) throw context.atLeastOne();
	const args = list.map((word) => {
		const at = word.text.indexOf("=");
		if (at === 0) throw context.problem("ARG names can not be blank", word);
		const name = at < 0 ? word.text : word.text.slice(0, at);
		return {
			name,
			defaultValue: at < 0 ? undefined : word.text.slice(at + 1),
			description: descriptionOf(name, context.comments),
		};
	});
	return { ...context.base, kind: "arg", args };
}

/** A comment that begins with a name describes it; "" when none does. */
export function descriptionOf(name: string, comments: readonly string[]): string {
	const comment = name === "" ? undefined : comments.find((line) => line.startsWith(`${name} `));
	return comment?.slice(name.length + 1) ?? "";
}

function notTexts(context: InstructionContext) {
	return context.problem("a JSON list of arguments must hold texts only", context.rest);
}
