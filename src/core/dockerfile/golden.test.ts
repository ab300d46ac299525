/**
 * The Dockerfiles in `test/golden/dockerfile`: each file is the input, then what is expected of it behind lines of dashes. `UPDATE_GOLDEN=1`
 * writes what is the case now; the difference is to be read like code.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DockerfileError } from "./dockerfile-error.ts";
import { lintSource } from "./lint/lint.ts";
import { parseDockerfile } from "./parse-dockerfile.ts";
import { meaningOf, printDockerfile } from "./printer/print-dockerfile.ts";
import type { SourceRange } from "./source-range.ts";
import type { Dockerfile, Instruction, Trivia } from "./syntax.ts";

const FOLDER = join(import.meta.dir, "../../../test/golden/dockerfile");
const SECTION = /^---- \w+$/m;

for (const name of readdirSync(FOLDER).toSorted()) {
	const path = join(FOLDER, name);
	const text = readFileSync(path, "utf8");
	const at = SECTION.exec(text)?.index ?? text.length;
	// Written with visible line ends where a file is about them.
	const input = name.startsWith("crlf") ? text.slice(0, at).replaceAll("\n", "\r\n") : text.slice(0, at);

	test(`golden ${name}`, () => {
		const actual = describe(input);
		if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text.slice(0, at) + actual);
		else expect(actual).toBe(text.slice(at));
	});

	test(`golden ${name}, printed and parsed again`, () => {
		const parsed = parsedOrUndefined(input);
		if (parsed === undefined) return;
		const printed = printDockerfile(parsed);
		const again = parseDockerfile(printed);
		expect(meaningsOf(again)).toEqual(meaningsOf(parsed));
		expect(commentsOf(again)).toEqual(commentsOf(parsed));
		expect(again.directives.map(({ name, value }) => ({ name, value }))).toEqual(
			parsed.directives.map(({ name, value }) => ({ name, value })),
		);
		expect(printDockerfile(again)).toBe(printed);
	});
}

function describe(input: string): string {
	const options = {
		buildArgs: new Map<string, string>(),
		buildPlatform: { os: "linux", architecture: "amd64" },
		targetPlatform: { os: "linux", architecture: "amd64" },
	};
	const { warnings, error } = lintSource(input, options);
	const parsed = parsedOrUndefined(input);
	return [
		...(parsed === undefined ? [] : ["---- instructions", ...instructionLines(parsed)]),
		...(warnings.length === 0 ? [] : ["---- lint"]),
		...warnings.map(({ rule, message, range }) => `${range.start.line} ${rule}: ${message}`),
		...(error === undefined ? [] : ["---- error", error.message]),
		"",
	].join("\n");
}

function instructionLines({ directives, globalArgs, stages }: Dockerfile): string[] {
	return [
		...directives.map(({ name, value }) => `# ${name} ${JSON.stringify(value)}`),
		...globalArgs.map((arg) => instructionLine("global", arg)),
		...stages.flatMap(({ index, name, from, instructions }) =>
			[from, ...instructions].map((instruction) =>
				instructionLine(`${index}${name === "" ? "" : ` ${name}`}`, instruction),
			),
		),
	];
}

function instructionLine(stage: string, instruction: Instruction): string {
	const {
		keyword,
		text: _text,
		range,
		leading: _leading,
		lines: _lines,
		comments,
		kind: _kind,
		...fields
	} = instruction;
	const shown = { ...fields, ...(comments.length === 0 ? {} : { comments }) };
	return `[${stage}] ${place(range)} ${keyword} ${JSON.stringify(shown)}`;
}

function place({ start, end }: SourceRange): string {
	return `${start.line}:${start.column}-${end.line}:${end.column}`;
}

function parsedOrUndefined(input: string): Dockerfile | undefined {
	try {
		return parseDockerfile(input);
	} catch (error) {
		if (error instanceof DockerfileError) return undefined;
		throw error;
	}
}

function allOf({ globalArgs, stages }: Dockerfile): Instruction[] {
	return [...globalArgs, ...stages.flatMap(({ from, instructions }): Instruction[] => [from, ...instructions])];
}

function meaningsOf(dockerfile: Dockerfile): string[] {
	return allOf(dockerfile).map(meaningOf);
}

/** Where a comment of the inside of an instruction ends up is the printer's affair. */
function commentsOf(dockerfile: Dockerfile): (readonly string[])[] {
	const texts = (trivia: readonly Trivia[]) => trivia.flatMap((item) => (item.kind === "comment" ? [item.text] : []));
	return [...allOf(dockerfile).map(({ leading }) => texts(leading)), texts(dockerfile.trailing)];
}
