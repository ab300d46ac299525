/**
 * Every test there is, part by part: `bun tools/run-tests/main.ts [part…] [file-name-part…]`. The last line is
 * `N passed, N failed, N skipped` over all of them; ends with 1 when anything failed.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findDockerClient, WITHOUT_DOCKER_CLIENT } from "./docker-client.ts";
import { runTestProcess } from "./processes.ts";
import {
	addReports,
	failureReport,
	NOTHING,
	type Report,
	reportOfBunTest,
	reportOfCommand,
	summaryLine,
} from "./report.ts";

const ROOT = join(import.meta.dir, "../..");
const MINUTE_MS = 60_000;

interface Run {
	readonly signal: AbortSignal;
	/** For the reports of the test processes. */
	readonly directory: string;
	/** Only test files whose path contains one of these; all when empty. */
	readonly filters: readonly string[];
}

const PARTS: Readonly<Record<string, (run: Run) => Promise<Report>>> = {
	check: (run) =>
		runCommand(run, "check", [process.execPath, "tools/check/main.ts", "biome", "types", "layers", "docs"]),
	unit: async (run) => runBunTest(run, "unit", await findTests(run, ["src", "tools", "bench"]), 5 * MINUTE_MS),
	shim: (run) =>
		existsSync(join(ROOT, "shim/Makefile"))
			? runCommand(run, "shim", ["make", "-C", "shim", "-s", "test"])
			: Promise.resolve(NOTHING),
	integration: (run) => runEachFile(run, "test/integration"),
	e2e: (run) => runEachFile(run, "test/e2e"),
	conformance: (run) => runEachFile(run, "test/conformance"),
};

async function findTests(run: Run, folders: readonly string[]): Promise<string[]> {
	const found: string[] = [];
	for (const folder of folders) {
		if (!existsSync(join(ROOT, folder))) continue;
		for await (const path of new Bun.Glob("**/*.test.{ts,mjs}").scan({ cwd: join(ROOT, folder) }))
			found.push(`${folder}/${path}`);
	}
	return found.filter((path) => run.filters.length === 0 || run.filters.some((filter) => path.includes(filter))).sort();
}

/** Tests on the real kernel get a process for each file: a crash or a hang costs one file, and nothing is shared. */
async function runEachFile(run: Run, folder: string): Promise<Report> {
	const reports: Report[] = [];
	for (const file of await findTests(run, [folder])) reports.push(await runBunTest(run, file, [file], 15 * MINUTE_MS));
	return addReports(reports);
}

async function runBunTest(run: Run, name: string, files: readonly string[], timeLimitMs: number): Promise<Report> {
	if (files.length === 0) return NOTHING;
	const junit = join(run.directory, `${name.replaceAll("/", "-")}.xml`);
	const result = await runTestProcess(
		{
			argv: [
				process.execPath,
				"test",
				"--timeout=60000",
				"--reporter=junit",
				`--reporter-outfile=${junit}`,
				...(process.env["CI"] === undefined ? [] : ["--only-failures"]),
				...files.map((file) => `./${file}`),
			],
			cwd: ROOT,
			timeLimitMs,
		},
		run.signal,
	);
	const report = reportOfBunTest(name, result.code, existsSync(junit) ? readFileSync(junit, "utf8") : undefined);
	return addReports([report, ...troubles(name, timeLimitMs, result)]);
}

async function runCommand(run: Run, name: string, argv: readonly string[]): Promise<Report> {
	const timeLimitMs = 10 * MINUTE_MS;
	const result = await runTestProcess({ argv, cwd: ROOT, timeLimitMs, capture: true }, run.signal);
	return addReports([reportOfCommand(name, result.code, result.output), ...troubles(name, timeLimitMs, result)]);
}

function troubles(
	name: string,
	limitMs: number,
	result: { timedOut: boolean; leftBehind: readonly string[] },
): Report[] {
	const reports: Report[] = [];
	if (result.timedOut) reports.push(failureReport(name, `was stopped after ${limitMs / MINUTE_MS} minutes`));
	if (result.leftBehind.length > 0)
		reports.push(failureReport(name, `left processes behind: ${result.leftBehind.join("; ")}`));
	return reports;
}

async function runParts(names: readonly string[], run: Run): Promise<Report> {
	const reports: Report[] = [];
	for (const name of names) {
		const part = PARTS[name];
		if (part === undefined) continue;
		console.log(`\n== ${name}`);
		const startedAt = performance.now();
		const report = await part(run);
		console.log(`== ${name}: ${summaryLine(report)} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
		reports.push(report);
	}
	return addReports(reports);
}

function printReport(report: Report): void {
	if (report.skips.length > 0) console.log(`\nSkipped:\n${report.skips.map((name) => `  ${name}`).join("\n")}`);
	if (findDockerClient() === undefined) console.log(`\n${WITHOUT_DOCKER_CLIENT}`);
	if (report.failures.length > 0) {
		const lines = report.failures.map(
			({ place, name, message }) => `  ${place}  ${name === place ? "" : name}\n      ${message}`,
		);
		console.log(`\nFailed:\n${lines.join("\n")}`);
	}
	console.log(`\n${summaryLine(report)}`);
}

async function main(args: readonly string[]): Promise<number> {
	// Package managers swallow the first "--".
	const words = args.filter((word) => word !== "--");
	const split = words.findIndex((word) => PARTS[word] === undefined);
	const parts = split < 0 ? words : words.slice(0, split);
	const filters = split < 0 ? [] : words.slice(split);
	const abort = new AbortController();
	for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
		process.on(name, () => abort.abort(new Error(`Stopped by ${name}`)));
	const directory = mkdtempSync(join(tmpdir(), "gantry-test-reports-"));
	try {
		const run: Run = { signal: abort.signal, directory, filters };
		const report = await runParts(parts.length > 0 ? parts : Object.keys(PARTS), run);
		printReport(report);
		return report.failed > 0 ? 1 : 0;
	} catch (error) {
		if (!abort.signal.aborted) throw error;
		console.error(`\n${abort.signal.reason.message}`);
		return 1;
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

process.exitCode = await main(process.argv.slice(2));
