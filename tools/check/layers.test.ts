import { describe, expect, test } from "bun:test";
import { findImports } from "./imports.ts";
import { checkLayers, type SourceFile } from "./layers.ts";
import { blankLiterals } from "./source-text.ts";

function tree(files: Readonly<Record<string, string>>): SourceFile[] {
	return Object.entries(files).map(([path, text]) => ({ path, imports: findImports(text), code: blankLiterals(text) }));
}

const EMPTY = "export const a = 1;\n";

describe("checkLayers() accepts", () => {
	const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
		["a downward import", { "src/engine/a.ts": 'import { a } from "../core/a.ts";', "src/core/a.ts": EMPTY }],
		["drivers/linux in a driver", { "src/drivers/b/a.ts": 'import "../linux/a.ts";', "src/drivers/linux/a.ts": EMPTY }],
		["the type of a stream in core", { "src/core/a.ts": 'import type { Readable } from "node:stream";' }],
		["the version in the command line", { "src/cli/a.ts": 'import packageJson from "../../package.json";' }],
		["hashing in base", { "src/base/a.ts": 'import { createHash } from "node:crypto";' }],
		[
			"drivers in an engine test",
			{ "src/engine/a.test.ts": 'import "../drivers/m/a.ts";', "src/drivers/m/a.ts": EMPTY },
		],
		["a variable called process", { "src/core/a.ts": "const process = { cwd: 1 };\nexport const cwd = process.cwd;" }],
		["impure words in text", { "src/core/a.ts": '// process.env\nexport const a = "Bun.file";' }],
	];
	for (const [name, files] of cases)
		test(name, () => {
			expect(checkLayers(tree(files))).toEqual([]);
		});
});

describe("checkLayers() refuses", () => {
	const cases: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[]])[] = [
		[
			"an upward import, of a type too",
			{ "src/core/a.ts": 'import type { A } from "../engine/a.ts";', "src/engine/a.ts": EMPTY },
			["src/core/a.ts:1: core may not import engine (src/engine/a.ts)"],
		],
		[
			"a driver in the engine",
			{ "src/engine/a.ts": 'import "../drivers/x/a.ts";', "src/drivers/x/a.ts": EMPTY },
			["src/engine/a.ts:1: engine may not import drivers (src/drivers/x/a.ts)"],
		],
		[
			"one driver in another",
			{ "src/drivers/y/a.ts": 'import "../x/a.ts";', "src/drivers/x/a.ts": EMPTY },
			["src/drivers/y/a.ts:1: driver y may not import driver x"],
		],
		[
			"the engine in the command line",
			{ "src/cli/a.ts": 'const a = await import("../engine/a.ts");', "src/engine/a.ts": EMPTY },
			["src/cli/a.ts:1: cli may not import engine (src/engine/a.ts)"],
		],
		[
			"files in a pure layer",
			{ "src/core/a.ts": 'import { readFileSync } from "node:fs";' },
			["src/core/a.ts:1: core is pure and may not import node:fs"],
		],
		[
			"a stream's value in core",
			{ "src/core/a.ts": 'import { Readable } from "node:stream";' },
			["src/core/a.ts:1: core is pure and may not import node:stream"],
		],
		[
			"the environment in a pure layer",
			{ "src/api/a.ts": "export const home =\n\tprocess.env;" },
			["src/api/a.ts:2: api is pure and may not use process.…"],
		],
		[
			"tests in the source",
			{ "src/cli/a.ts": 'import "../../test/support/a.ts";', "test/support/a.ts": EMPTY },
			["src/cli/a.ts:1: cli may not import test/support/a.ts"],
		],
		[
			"a file that is not there",
			{ "src/base/a.ts": 'import "./b.ts";' },
			["src/base/a.ts:1: imports ./b.ts, which does not exist"],
		],
		[
			"a cycle through types, told by its shortest walk",
			{
				"src/base/a.ts": 'import type { B } from "./b.ts";',
				"src/base/b.ts": 'import "./c.ts";',
				"src/base/c.ts": 'import "./a.ts";',
				"src/base/d.ts": 'import "./a.ts";',
			},
			["import cycle: src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts"],
		],
	];
	for (const [name, files, problems] of cases)
		test(name, () => {
			expect(checkLayers(tree(files))).toEqual([...problems]);
		});
});
