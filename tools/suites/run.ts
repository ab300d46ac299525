/**
 * Runs the integration tests of docker-py, dockerode or testcontainers-node, from a checkout made elsewhere, against one
 * engine, and lists what comes out differently against a second. See docs/suites.md.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { BUSYBOX_TIME_S } from "../../src/cli/image/bootstrap/busybox-tree.ts";
import { writeTar } from "../../src/cli/image/bootstrap/entry-tar.ts";
import { BUSYBOX_CHANGES, busyboxImageEntries } from "../base-images/busybox.ts";
import { compareResults, countOutcomes, type Difference, type SuiteResults } from "./results.ts";
import { SUITES, type Suite } from "./suites.ts";

const USAGE = [
	`bun run suites ${Object.keys(SUITES).join("|")} CHECKOUT --host unix://SOCKET [--netns FILE]`,
	"    [--reference unix://SOCKET [--reference-netns FILE]] [--python PATH] [-- TEST-OR-OPTION-OF-THE-RUNNER…]",
].join("\n");

/** Where some suites look whatever they are told. */
const DEFAULT_SOCKET = "/run/docker.sock";
const TIME_LIMIT_MS = 30 * 60_000;

/** A wrong command line or a suite that does not run; no stack is printed. */
class SuiteError extends Error {}

function socketOf(host: string): string {
	if (!host.startsWith("unix:///")) throw new SuiteError(`Not unix:///PATH: ${host}`);
	return host.slice("unix://".length);
}

/** busybox, with a bash for the tests that ask for one. */
function makeStandInTar(): Uint8Array<ArrayBuffer> {
	const content = Buffer.from('#!/bin/sh\nexec /bin/sh "$@"\n');
	const entries = [...busyboxImageEntries(), { kind: "file" as const, path: "bin/bash", mode: 0o755, content }];
	return new Uint8Array(writeTar(entries, BUSYBOX_TIME_S));
}

async function provideImages(host: string, images: readonly string[]): Promise<void> {
	const unix = socketOf(host);
	for (const image of images) {
		if ((await fetch(`http://engine/images/${image}/json`, { unix })).ok) continue;
		const [repo = "", tag = "latest"] = image.split(":");
		const query = new URLSearchParams({ fromSrc: "-", repo, tag });
		for (const change of BUSYBOX_CHANGES) query.append("changes", change);
		const body = new Blob([makeStandInTar()]);
		const response = await fetch(`http://engine/images/create?${query}`, { unix, method: "POST", body });
		const text = await response.text();
		if (!response.ok) throw new SuiteError(`${host}: ${image} could not be made: ${text}`);
	}
}

interface Engine {
	/** unix:///… */
	readonly host: string;
	/** Network namespace in which its published ports are on localhost; this process's when absent. */
	readonly netns: string | undefined;
}

interface SuiteRun {
	readonly checkout: string;
	readonly python: string;
	readonly filters: readonly string[];
}

/**
 * The tests find the engine's socket in the default place, in a mount namespace of their own: this machine's own engine is out of
 * their reach.
 */
function commandFor({ host, netns }: Engine, argv: readonly string[]): string[] {
	const enterNetwork = netns === undefined ? [] : ["nsenter", `--net=${netns}`];
	const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
	const enterMounts = ["unshare", "--mount", "sh", "-c", script, "sh", socketOf(host), DEFAULT_SOCKET];
	return [...enterNetwork, ...enterMounts, ...argv];
}

/** The runner's own output goes to standard error: standard output is for the comparison. */
async function runSuite(suite: Suite, engine: Engine, run: SuiteRun): Promise<SuiteResults> {
	await provideImages(engine.host, suite.images);
	const directory = mkdtempSync(join(tmpdir(), "gantry-suite-"));
	const isOurMountPoint = !existsSync(DEFAULT_SOCKET);
	if (isOurMountPoint) writeFileSync(DEFAULT_SOCKET, "");
	try {
		const reportPath = join(directory, "report");
		const argv = suite.argv({ reportPath, python: run.python, filters: run.filters });
		const child = Bun.spawn(commandFor(engine, argv), {
			cwd: run.checkout,
			env: { ...process.env, DOCKER_HOST: `unix://${DEFAULT_SOCKET}`, DOCKER_CONFIG: directory },
			stdin: "ignore",
			stdout: 2,
			stderr: 2,
			timeout: TIME_LIMIT_MS,
		});
		const code = await child.exited;
		// A code other than 0 only says that tests failed; without a report the runner itself did.
		if (!existsSync(reportPath)) throw new SuiteError(`${argv.join(" ")} ended with code ${code} and without a report`);
		return suite.parse(readFileSync(reportPath, "utf8"));
	} finally {
		rmSync(directory, { recursive: true, force: true });
		if (isOurMountPoint) rmSync(DEFAULT_SOCKET, { force: true });
	}
}

function countsLine(host: string, results: SuiteResults): string {
	const { passed, failed, skipped } = countOutcomes(results);
	return `${host}: ${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function differenceLines({ name, subject, reference }: Difference): string[] {
	const outcomes = `${subject?.outcome ?? "not run"}, reference ${reference?.outcome ?? "not run"}`;
	const message = subject?.message ?? reference?.message;
	return [`  ${name}: ${outcomes}`, ...(message === undefined ? [] : [`      ${message}`])];
}

async function main(argv: readonly string[]): Promise<number> {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			host: { type: "string" },
			netns: { type: "string" },
			reference: { type: "string" },
			"reference-netns": { type: "string" },
			python: { type: "string", default: "python3" },
		},
	});
	const [name = "", checkout, ...filters] = positionals;
	const suite = SUITES[name];
	if (suite === undefined || checkout === undefined || values.host === undefined) throw new SuiteError(USAGE);
	const run: SuiteRun = { checkout: resolve(checkout), python: values.python, filters };
	const subject = await runSuite(suite, { host: values.host, netns: values.netns }, run);
	console.log(countsLine(values.host, subject));
	if (values.reference === undefined) {
		for (const [test, result] of subject)
			if (result.outcome === "failed") console.log(`  ${test}\n      ${result.message ?? ""}`);
		return [...subject.values()].some((result) => result.outcome === "failed") ? 1 : 0;
	}
	const reference = await runSuite(suite, { host: values.reference, netns: values["reference-netns"] }, run);
	console.log(countsLine(values.reference, reference));
	const differences = compareResults(subject, reference);
	const worse = differences.filter(
		(each) => each.subject?.outcome !== "passed" && each.reference?.outcome === "passed",
	);
	const other = differences.filter((each) => !worse.includes(each));
	console.log(`\nPass on the reference only: ${worse.length}`);
	for (const line of worse.flatMap(differenceLines)) console.log(line);
	console.log(`\nDiffer otherwise: ${other.length}`);
	for (const line of other.flatMap(differenceLines)) console.log(line);
	return worse.length > 0 ? 1 : 0;
}

try {
	process.exitCode = await main(process.argv.slice(2));
} catch (error) {
	if (!(error instanceof SuiteError)) throw error;
	console.error(error.message);
	process.exitCode = 2;
}
