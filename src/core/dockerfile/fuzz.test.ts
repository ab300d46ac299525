/**
 * Broken Dockerfiles by the thousand: the golden files with pieces cut, doubled, swapped and put in. `FUZZ_SEED` picks others, `FUZZ_ROUNDS` more.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DockerfileError } from "./dockerfile-error.ts";
import { lintSource } from "./lint/lint.ts";
import { outline } from "./outline.ts";
import { parseDockerfile } from "./parse-dockerfile.ts";
import { meaningOf, printDockerfile } from "./printer/print-dockerfile.ts";
import type { Dockerfile, Instruction } from "./syntax.ts";

const FOLDER = join(import.meta.dir, "../../../test/golden/dockerfile");
const SEED = Number(process.env["FUZZ_SEED"] ?? 20260101);
const ROUNDS = Number(process.env["FUZZ_ROUNDS"] ?? 6000);
const OPTIONS = {
	buildArgs: new Map([["V", "1"]]),
	buildPlatform: { os: "linux", architecture: "amd64" },
	targetPlatform: { os: "linux", architecture: "arm64" },
};
const PIECES = [
	..."\\`'\"$ {}[]<>#=-:/?*%+,.@!&|\t\n\r",
	"\0",
	"\u00a0",
	"\u2028",
	"\ufeff",
	"\ud83d",
	"😀",
	"\\\n",
	"\r\n",
	"\n\n",
	"<<EOF",
	"<<-'E O'",
	"\nEOF\n",
	"${V:-",
	"${V//",
	"$V",
	"--mount=type=cache,target=",
	"--",
	"--from=",
	'["',
	'"]',
	"ONBUILD ",
	"FROM a AS b\n",
	"FROM b\n",
	"RUN ",
	"ARG V=$V\n",
	"ENV a=b ",
	"COPY --from=b a /\n",
	"# escape=`\n",
	"# check=skip=",
	"HEALTHCHECK --interval=",
];

/** Mulberry32. */
function randomNumbers(seed: number): (below: number) => number {
	let state = seed >>> 0;
	return (below) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
	};
}

function mutate(text: string, other: string, random: (below: number) => number): string {
	let result = text;
	for (let changes = 1 + random(4); changes > 0; changes--) {
		const at = random(result.length + 1);
		const length = random(12);
		const piece = PIECES[random(PIECES.length)] ?? "";
		const head = result.slice(0, at);
		switch (random(6)) {
			case 0:
				result = head + result.slice(at + length);
				break;
			case 1:
				result = head + piece + result.slice(at);
				break;
			case 2:
				result = head + piece + result.slice(at + length);
				break;
			case 3:
				result = head + result.slice(at, at + length).repeat(2) + result.slice(at + length);
				break;
			case 4:
				result = head + other.slice(random(other.length + 1));
				break;
			default:
				result = head;
		}
	}
	return result;
}

function instructionsOf({ globalArgs, stages }: Dockerfile): Instruction[] {
	return [...globalArgs, ...stages.flatMap(({ from, instructions }): Instruction[] => [from, ...instructions])];
}

/** The result, or undefined when it fails as it may. */
function unlessRefused<Result>(action: () => Result): Result | undefined {
	try {
		return action();
	} catch (error) {
		if (error instanceof DockerfileError) return undefined;
		throw error;
	}
}

describe("mutations of the golden files", () => {
	const inputs = readdirSync(FOLDER)
		.toSorted()
		.map((name) => readFileSync(join(FOLDER, name), "utf8").split(/^---- \w+$/m, 1)[0] ?? "");

	test(`${ROUNDS} of them, seed ${SEED}: nothing but its own error, and what is printed means the same`, () => {
		const random = randomNumbers(SEED);
		let parsedCount = 0;
		for (let round = 0; round < ROUNDS; round++) {
			const text = mutate(inputs[random(inputs.length)] ?? "", inputs[random(inputs.length)] ?? "", random);
			try {
				parsedCount += checkText(text) ? 1 : 0;
			} catch (cause) {
				throw new Error(`seed ${SEED}, round ${round}: ${JSON.stringify(text)}: ${String(cause)}`, { cause });
			}
		}
		// A mutation that always breaks everything would test little.
		expect(parsedCount).toBeGreaterThan(ROUNDS / 10);
	}, 60_000);
});

function checkText(text: string): boolean {
	const result = lintSource(text, OPTIONS);
	const dockerfile = unlessRefused(() => parseDockerfile(text));
	if (dockerfile === undefined) {
		expect(result.error).toBeInstanceOf(DockerfileError);
		return false;
	}
	unlessRefused(() => outline(dockerfile, OPTIONS));
	const printed = printDockerfile(dockerfile);
	const again = parseDockerfile(printed);
	expect(instructionsOf(again).map(meaningOf)).toEqual(instructionsOf(dockerfile).map(meaningOf));
	expect(printDockerfile(again)).toBe(printed);
	return true;
}

describe("large inputs", () => {
	const MEGABYTE = 1024 * 1024;
	const cases: readonly (readonly [what: string, text: () => string])[] = [
		["a line of 10 MB", () => `FROM a\nRUN ${"x".repeat(10 * MEGABYTE)}`],
		["a line of 2 MB of quotes", () => `FROM a\nENV a=${'"'.repeat(2 * MEGABYTE)}`],
		["a line of 2 MB of escapes", () => `FROM a\nENV a=${"\\".repeat(2 * MEGABYTE)}`],
		["a line of 10 MB of white space", () => `FROM a\nRUN a${" ".repeat(10 * MEGABYTE)}b`],
		["a comment of 10 MB of white space", () => `#${" ".repeat(10 * MEGABYTE)}x\nFROM a`],
		["a directive of 10 MB of white space", () => `# syntax${" ".repeat(10 * MEGABYTE)}\nFROM a`],
		["a COPY of 200,000 words", () => `FROM a\nCOPY ${"a ".repeat(200_000)} /x`],
		["an ENV of 100,000 pairs", () => `FROM a\nENV ${"a=b ".repeat(100_000)}`],
		["100,000 continuation lines", () => `FROM a\nRUN a${" \\\n b".repeat(100_000)}`],
		["a million empty continuation lines", () => `FROM a\nRUN a \\${"\n".repeat(MEGABYTE)}`],
		["20,000 instructions", () => `FROM a\n${"RUN x\n".repeat(20_000)}`],
		[
			"1,000 stages",
			() => Array.from({ length: 1000 }, (_, i) => `FROM ${i === 0 ? "a" : `s${i - 1}`} AS s${i}`).join("\n"),
		],
		["100,000 heredocs that begin", () => `FROM a\nRUN ${"<<E ".repeat(100_000)}`],
		["a heredoc of 100,000 lines", () => `FROM a\nCOPY <<E /x\n${"$x\n".repeat(100_000)}E\n`],
		["100,000 lists in a list", () => `FROM a\nCMD ${"[".repeat(100_000)}`],
		["a million braces", () => `FROM a\nUSER ${"${a:-".repeat(MEGABYTE)}`],
		["a million dollars", () => `FROM a\nUSER ${"$".repeat(MEGABYTE)}`],
		["20,000 flags", () => `FROM a\nRUN ${"--mount=type=tmpfs,target=/x ".repeat(20_000)} x`],
		["a flag of 200,000 commas", () => `FROM a\nRUN --mount=${",".repeat(200_000)} x`],
		["words that double", () => `FROM a\nENV a=xx\n${"ENV a=$a$a\n".repeat(60)}`],
		["an unknown instruction of 10 MB", () => `FROM a\n${"x".repeat(10 * MEGABYTE)}`],
		["bytes that are no text", () => `FROM a\n\0\ufffd\udfff${"\0".repeat(MEGABYTE)}`],
	];
	test.each(cases)(
		"%s",
		(_, text) => {
			const source = text();
			const parsed = unlessRefused(() => parseDockerfile(source));
			const { error } = lintSource(source, OPTIONS);
			if (error === undefined) expect(parsed).toBeDefined();
			else expect(error.message.length).toBeLessThan(20_000);
			if (parsed !== undefined)
				expect(parseDockerfile(printDockerfile(parsed)).stages).toHaveLength(parsed.stages.length);
		},
		60_000,
	);

	test("bytes that are no UTF-8", () => {
		const bytes = Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) & 0xff);
		expect(lintSource(bytes, OPTIONS).error).toBeInstanceOf(DockerfileError);
	});
});
