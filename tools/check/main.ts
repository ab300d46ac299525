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
	docs: async () => problemsResult(checkDocs(await listFiles(["*.md"]))),
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

/** Tracked and new files of the checkout, without ignored ones. */
async function listFiles(patterns: readonly string[]): Promise<string[]> {
	const child = Bun.spawn(
		["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", ...patterns],
		{ cwd: ROOT, stdin: "ignore", stdout: "pipe" },
	);
	const listed = (await child.stdout.text()).split("\0").filter((path) => path !== "" && existsSync(join(ROOT, path)));
	if ((await child.exited) !== 0) throw new Error("git ls-files failed: the checks need a git checkout");
	return listed;
}

async function readSources(): Promise<SourceFile[]> {
	const paths = await listFiles(["src/*.ts", "src/*.tsx", "test/*.ts", "tools/*.ts", "bench/*.ts"]);
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
