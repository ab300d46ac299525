/**
 * The daemon dies before calls to its drivers, one after the other; the next one loses nothing that was answered for and leaves
 * nothing behind. `GANTRY_CRASH_POINTS=all` takes every call instead of a choice.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DoomedDaemon } from "./doomed-daemon.ts";
import { type Operation, Round } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { seededRandom } from "./random.ts";

const EVERY = process.env["GANTRY_CRASH_POINTS"] === "all";
const CHOSEN = 3;
const random = seededRandom(20);
const TIMEOUT_MS = EVERY ? 300_000 : 60_000;

let doomed: DoomedDaemon;
let rounds = 0;
beforeAll(async () => {
	doomed = await DoomedDaemon.start();
});
afterAll(async () => {
	await doomed[Symbol.asyncDispose]();
});

async function newRound(operation: Operation): Promise<Round> {
	// One that an earlier test left dead would fail all the others.
	if (!doomed.daemon.isRunning) await doomed.daemon.start();
	const round = new Round(doomed.daemon, `round${++rounds}`);
	await operation.prepare?.(round);
	return round;
}

async function cleanUp(): Promise<void> {
	const { daemon } = doomed;
	const list = (await (await daemon.api("GET", "/containers/json?all=1")).json()) as readonly { Id: string }[];
	for (const { Id } of list) await (await daemon.api("DELETE", `/containers/${Id}?force=1&v=1`)).arrayBuffer();
	await (await daemon.api("POST", '/volumes/prune?filters={"all":["true"]}')).arrayBuffer();
}

async function dieOnceAt(operation: Operation, call: number): Promise<string[]> {
	const round = await newRound(operation);
	const place = await doomed.dieAt(call, () => operation.act(round));
	if (place !== undefined) await doomed.daemon.start();
	const where = `${call}: ${place ?? "never reached"}`;
	const problems: string[] = [];
	const note = (problem: string) => problems.push(`died at ${where}: ${problem}`);
	(await doomed.audit()).forEach(note);
	await operation.check(round).catch((error: unknown) => note(error instanceof Error ? error.message : String(error)));
	await cleanUp();
	(await doomed.audit()).forEach((finding) => void note(`after clean-up: ${finding}`));
	return problems;
}

/** Different ones of each operation, the first and the last among them. */
function choose<T>(calls: readonly T[]): T[] {
	if (EVERY || calls.length <= CHOSEN) return [...calls];
	const width = calls.length / CHOSEN;
	return Array.from({ length: CHOSEN }, (_, part) => calls[Math.floor((part + random.next()) * width)]).filter(
		(call) => call !== undefined,
	);
}

describe(`with seed ${random.seed}`, () => {
	test.each(Object.entries(OPERATIONS))(
		"%s survives the daemon's death",
		async (_name, operation) => {
			const measured = await newRound(operation);
			const calls = await doomed.changingCalls(() => operation.act(measured));
			await cleanUp();
			const problems: string[] = [];
			for (const { number } of choose(calls)) problems.push(...(await dieOnceAt(operation, number)));
			expect(problems).toEqual([]);
		},
		TIMEOUT_MS,
	);
});
