/** The one gate: `bun run check [step…]`. Every step runs, each with its time; ends with 1 when one of them failed. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findImports } from "./imports.ts";
import { checkLayers, type SourceFile } from "./layers.ts";
import { findBrokenLinks } from "./links.ts";
import { blankLiterals } from "./source-text.ts";

const ROOT = join(import.meta.dir, "../..");

interface StepResult {
	readonly ok: boolean;
	readonly output: string;
}

const STEPS: Readonly<Record<string, () => Promise<StepResult>>> = {
	biome: () => command(["biome", "check", "--colors=off", "--max-diagnostics=60"]),
	types: () => command(["tsc", "-p", ".", "--pretty", "false"]),
	layers: async () => problemsResult(checkLayers(await readSources())),
	docs: async () => problemsResult(checkDocs(await listFiles(["*.md", "{docs,shim,examples}/**/*.md"]))),
	unit: () => command(["bun", "tools/run-tests/main.ts", "unit"]),
};

async function command([program = "", ...args]: readonly string[]): Promise<StepResult> {
	const path = program === "bun" ? process.execPath : join(ROOT, "node_modules/.bin", program);
	const child = Bun.spawn([path, ...args], { cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
	const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { ok: code === 0, output: `${stdout}${stderr}` };
}

function problemsResult(problems: readonly string[]): StepResult {
	return { ok: problems.length === 0, output: problems.map((line) => `${line}\n`).join("") };
}

/** Folders that hold nothing of ours. */
const FOREIGN = /^(node_modules|dist|shim\/build)\//;

/** By the file system, not by git: the checks also run where git is not installed. */
async function listFiles(patterns: readonly string[]): Promise<string[]> {
	const found = await Promise.all(
		patterns.map((pattern) => Array.fromAsync(new Bun.Glob(pattern).scan({ cwd: ROOT }))),
	);
	return found
		.flat()
		.filter((path) => !FOREIGN.test(path))
		.sort();
}

async function readSources(): Promise<SourceFile[]> {
	const paths = await listFiles(["{src,test,tools,bench}/**/*.{ts,tsx}"]);
	return paths.map((path) => {
		const text = readFileSync(join(ROOT, path), "utf8");
		return { path, imports: findImports(text), code: blankLiterals(text) };
	});
}

function checkDocs(paths: readonly string[]): string[] {
	return paths.flatMap((path) =>
		findBrokenLinks(readFileSync(join(ROOT, path), "utf8"), (target) =>
			existsSync(join(ROOT, target.startsWith("/") ? "." : dirname(path), target)),
		).map((link) => `${path}:${link} does not exist`),
	);
}

/** One step at a time: each of the slow ones uses all cores by itself. */
async function runSteps(names: readonly string[]): Promise<boolean> {
	let failed = 0;
	for (const name of names) {
		const step = STEPS[name];
		if (step === undefined) throw new Error(`No such step: ${name} (there are ${Object.keys(STEPS).join(", ")})`);
		const startedAt = performance.now();
		const result = await step();
		console.log(`${result.ok ? "ok  " : "FAIL"} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
		if (!result.ok) console.log(result.output.trimEnd());
		if (!result.ok) failed++;
	}
	console.log(`${names.length - failed} passed, ${failed} failed`);
	return failed === 0;
}

const wanted = process.argv.slice(2);
process.exitCode = (await runSteps(wanted.length > 0 ? wanted : Object.keys(STEPS))) ? 0 : 1;
