import { describe, expect, test } from "bun:test";
import { MapVariables } from "./build-arguments.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { type ExpansionOptions, expandWord } from "./word-expansion.ts";

const VARIABLES = new MapVariables(
	new Map([
		["HOME", "/home/me"],
		["EMPTY", ""],
		["FILE", "archive.tar.gz"],
		["PATH_", "/usr/local/bin"],
		["SPACED", "one  two"],
		["NAME", "HOME"],
		["PATTERN", "*."],
		["名前", "値"],
		["LINES", "a\nb"],
		["STARS", "a*b?c\\d"],
	]),
);

function text(word: string, options: ExpansionOptions = {}): string {
	return expandWord(word, VARIABLES, options).text;
}

const plain: readonly (readonly [word: string, expected: string])[] = [
	["hello", "hello"],
	["he'll'o", "hello"],
	["he\\'llo", "he'llo"],
	["a\\tb", "atb"],
	['"a\\tb"', "a\\tb"],
	['"a\\\\b"', "a\\b"],
	["'a\\b'", "a\\b"],
	["tail\\", "tail"],
	["tail\\\\", "tail\\"],
	['"x\'y"', "x'y"],
	["''", ""],
	["$HOME", "/home/me"],
	["${HOME}", "/home/me"],
	["$HOMEX", ""],
	["${HOME}X", "/home/meX"],
	["'$HOME'", "$HOME"],
	['"$HOME"', "/home/me"],
	["\"'$HOME'\"", "'/home/me'"],
	["\\$HOME", "$HOME"],
	['"\\$HOME"', "$HOME"],
	["\\\\$HOME", "\\/home/me"],
	["\\${HOME}", "${HOME}"],
	["$", "$"],
	["$.x", "$.x"],
	["a$1b", "ab"],
	["$12x", "x"],
	["${1}", ""],
	["$@@", "@"],
	["$$", ""],
	["$名前", "値"],
	["ünï", "ünï"],
	["${HOME}}", "/home/me}"],
	["a<b<<c", "a<b<<c"],
];

const modifiers: readonly (readonly [word: string, expected: string])[] = [
	["${UNSET:-x}", "x"],
	["${EMPTY:-x}", "x"],
	["${HOME:-x}", "/home/me"],
	["${UNSET-x}", "x"],
	["${EMPTY-x}", ""],
	["${UNSET:+x}", ""],
	["${EMPTY:+x}", ""],
	["${HOME:+x}", "x"],
	["${EMPTY+x}", "x"],
	["${UNSET+x}", ""],
	["${HOME:?no}", "/home/me"],
	["${EMPTY?no}", ""],
	["${UNSET:-$HOME}", "/home/me"],
	["${UNSET:-${OTHER:-deep}}", "deep"],
	["${UNSET:-${HOME}/x}", "/home/me/x"],
	["${UNSET:-'a}b'}", "a}b"],
	['${UNSET:-"a}b"}', "a}b"],
	["${UNSET:-\\}}", "}"],
	["${HOME:+a:b}", "a:b"],
	["${1:-one}", "one"],
	["${@:+x}", ""],
];

const patterns: readonly (readonly [word: string, expected: string])[] = [
	["${FILE#*.}", "tar.gz"],
	["${FILE##*.}", "gz"],
	["${FILE%.*}", "archive.tar"],
	["${FILE%%.*}", "archive"],
	["${FILE#arch}", "ive.tar.gz"],
	["${FILE#nope}", "archive.tar.gz"],
	["${FILE%nope}", "archive.tar.gz"],
	["${FILE#}", "archive.tar.gz"],
	["${FILE#?}", "rchive.tar.gz"],
	["${FILE%??}", "archive.tar."],
	["${FILE#$PATTERN}", "tar.gz"],
	["${UNSET#x}", ""],
	["${PATH_##*/}", "bin"],
	["${PATH_%/*}", "/usr/local"],
	["${PATH_/local/share}", "/usr/share/bin"],
	["${PATH_/\\//:}", ":usr/local/bin"],
	["${PATH_//\\//:}", ":usr:local:bin"],
	["${PATH_//o/}", "/usr/lcal/bin"],
	["${PATH_/nope/x}", "/usr/local/bin"],
	["${PATH_/u*l/X}", "/X/bin"],
	["${EMPTY/x/y}", ""],
	["${FILE//./$EMPTY}", "archivetargz"],
	["${FILE/$UNSET/>}", ">archive.tar.gz"],
	["${STARS/\\*/+}", "a+b?c\\d"],
	["${STARS/\\?/+}", "a*b+c\\d"],
	["${STARS/\\\\/+}", "a*b?c+d"],
	["${LINES%%*}", "a\n"],
	["${LINES/?b/x}", "a\nb"],
	["${HOME//[me]/x}", "/home/me"],
	["${FILE//a*e/\\$1}", "\\$1.tar.gz"],
];

const errors: readonly (readonly [word: string, reason: RegExp])[] = [
	["'open", /quote/],
	['"open', /quote/],
	['"open\\"', /quote/],
	["${HOME", /missing '}'/],
	["${", /missing '}'/],
	["${}", /without a name/],
	["${:-x}", /without a name/],
	["${{x}", /without a name/],
	["${.}", /unknown substitution/],
	["${HOME:=x}", /unknown substitution/],
	["${HOME:#x}", /unknown substitution/],
	["${HOME^^}", /unknown substitution/],
	["${#HOME}", /unknown substitution/],
	["${HOME:0:3}", /unknown substitution/],
	["${HOME/x}", /missing '\/'/],
	["${HOME/x/y", /missing '}'/],
	["${UNSET:?}", /^UNSET: must be set/],
	["${EMPTY:?}", /^EMPTY: must not be empty/],
	["${UNSET?say it}", /^UNSET: say it/],
	["${HOME#\\x}", /invalid escape/],
	["${UNSET:-${HOME}", /missing '}'/],
];

describe("expandWord()", () => {
	test.each([...plain, ...modifiers, ...patterns])("%s is %s", (word, expected) => {
		expect(text(word)).toBe(expected);
	});

	test.each(errors)("%s is refused", (word, reason) => {
		const error = catchError(() => text(word));
		expect(error).toBeInstanceOf(DockerfileError);
		expect((error as DockerfileError).reason).toMatch(reason);
	});

	test("escapes with what the directive says", () => {
		expect(text("a\\b`$HOME", { escape: "`" })).toBe("a\\b$HOME");
		expect(text('"`" \\"', { escape: "`" })).toBe('" \\');
	});

	test("keeps quotes, escapes, and what is not set, when asked", () => {
		expect(text("a\\b", { keepEscapes: true })).toBe("a\\b");
		expect(text('\'a\' "b\\""', { keepQuotes: true })).toBe('\'a\' "b""');
		expect(text("$UNSET ${UNSET} ${UNSET:-x} ${UNSET/a/b} $HOME", { keepUnset: true })).toBe(
			"$UNSET ${UNSET} ${UNSET:-x} ${UNSET/a/b} /home/me",
		);
		expect(text("it's $HOME \\$x \\n", { plainQuotes: true })).toBe("it's /home/me $x n");
	});

	test("tells which variables were read", () => {
		const { matched, unmatched } = expandWord("$HOME ${UNSET:-$OTHER} '$QUOTED' ${EMPTY:+$DEEP}", VARIABLES);
		expect([...matched]).toEqual(["HOME", "EMPTY"]);
		expect([...unmatched].toSorted()).toEqual(["DEEP", "OTHER", "UNSET"]);
	});

	const words: readonly (readonly [text: string, words: readonly string[]])[] = [
		["a b", ["a", "b"]],
		["  a\tb  ", ["a", "b"]],
		["a$SPACED", ["aone", "two"]],
		['a"$SPACED"', ["aone  two"]],
		["a\\ b", ["a b"]],
		["'a b'c", ["a bc"]],
		["'' x", ["x"]],
		["<< EOF cat", ["<< EOF", "cat"]],
		["$UNSET", []],
	];
	test.each(words)("the words of %s", (text, expected) => {
		expect(expandWord(text, VARIABLES).words).toEqual([...expected]);
	});
});

describe("what is made to hurt", () => {
	test("deep nesting is refused", () => {
		expect(() => text("${A:-".repeat(100_000))).toThrow(DockerfileError);
		expect(text(`${"${A:-".repeat(150)}x${"}".repeat(150)}`)).toBe("x");
	});

	test("variables that double and double are refused", () => {
		const values = new Map([["A", "x".repeat(1024 * 1024)]]);
		expect(() => expandWord("$A".repeat(64), new MapVariables(values))).toThrow(DockerfileError);
	});

	test("patterns of many stars over long values", () => {
		const values = new Map([["A", "a".repeat(200_000)]]);
		const long = (word: string) => expandWord(word, new MapVariables(values)).text;
		expect(long(`\${A##${"*a".repeat(20)}b}`)).toBe("a".repeat(200_000));
		expect(long(`\${A//${"a*".repeat(20)}b/x}`)).toBe("a".repeat(200_000));
		expect(long(`\${A%%${"a*".repeat(20)}}`)).toBe("");
		expect(() => long(`\${A##${"*a".repeat(2000)}b}`)).toThrow(DockerfileError);
	});

	test("long texts", () => {
		const megabytes = "x ".repeat(4 * 1024 * 1024);
		expect(text(megabytes)).toBe(megabytes);
		expect(text(`"${megabytes}"`)).toBe(megabytes);
	});
});

function catchError(action: () => unknown): unknown {
	try {
		action();
	} catch (error) {
		return error;
	}
	return undefined;
}
