import { expect, test } from "bun:test";
import { findImports } from "./imports.ts";
import { blankLiterals } from "./source-text.ts";

test("findImports() sees static, type, side-effect, re-export and dynamic imports with their lines", () => {
	const source = [
		'import { a } from "./a.ts";',
		"import type {",
		"\tB,",
		'} from "./b.ts";',
		'import "./c.ts";',
		'export { d } from "./d.ts";',
		'export * from "./e.ts";',
		'const f = await import("./f.ts");',
		'type G = import("./g.ts").G;',
		'export const h = 1; export type I = "x";',
	].join("\n");
	expect(findImports(source)).toEqual([
		{ specifier: "./a.ts", line: 1, typeOnly: false },
		{ specifier: "./b.ts", line: 2, typeOnly: true },
		{ specifier: "./c.ts", line: 5, typeOnly: false },
		{ specifier: "./d.ts", line: 6, typeOnly: false },
		{ specifier: "./e.ts", line: 7, typeOnly: false },
		{ specifier: "./f.ts", line: 8, typeOnly: false },
		{ specifier: "./g.ts", line: 9, typeOnly: false },
	]);
});

test("findImports() ignores comments, strings, templates and method names", () => {
	const source = [
		'// import "./a.ts";',
		'/* import "./b.ts"; */',
		`const c = 'import "./c.ts"';`,
		'const d = `\nimport "./d.ts";\n`;',
		'loader.import("./e.ts");',
	].join("\n");
	expect(findImports(source)).toEqual([]);
});

const BLANKED: readonly (readonly [string, string, string])[] = [
	["a comment", "a; // b", "a;     "],
	["a string", 'a("b\\"c")', 'a("    ")'],
	["a template with an expression", "`a${b}c`", "`   b}  "],
	["a nested template", "`a${`b${c}`}d`;e", "`   `   c} }  ;e"],
	["a regular expression with a quote", "x = /['\"/]/.test(y)", "x = /     /.test(y)"],
	["a division", "a / b / c", "a / b / c"],
	["a regular expression after return", 'return /"/', "return / /"],
];
for (const [name, source, expected] of BLANKED)
	test(`blankLiterals() blanks ${name}`, () => {
		expect(blankLiterals(source)).toBe(expected);
	});
