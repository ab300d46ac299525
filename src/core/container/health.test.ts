import { expect, test } from "bun:test";
import type { ContainerHealth } from "./container-record.ts";
import { type HealthPlan, INITIAL_HEALTH, nextProbeDelayMs, planHealth, step } from "./health.ts";

const PLAN: HealthPlan = {
	command: ["true"],
	intervalMs: 1000,
	timeoutMs: 30_000,
	retries: 2,
	startPeriodMs: 5000,
	startIntervalMs: 100,
};

/** Results as `0`/`1` at times since the start; what is told after each. */
function run(results: readonly [exitCode: number, sinceStartMs: number][]): string[] {
	let health: ContainerHealth = INITIAL_HEALTH;
	return results.map(([exitCode, sinceStartMs]) => {
		const next = step(PLAN, health, {
			outcome: { kind: "ended", exitCode, output: "" },
			start: "",
			end: "",
			sinceStartMs,
		});
		health = next.health;
		return `${health.status} ${health.failingStreak}${next.changedTo === undefined ? "" : " !"}`;
	});
}

test("failures in the start period do not count, until it is healthy for the first time", () => {
	expect(
		run([
			[1, 0],
			[1, 4000],
			[0, 4500],
			[1, 4600],
			[1, 4700],
		]),
	).toEqual(["starting 0", "starting 0", "healthy 0 !", "healthy 1", "unhealthy 2 !"]);
});

test("after the start period retries in a row are unhealthy and one success is healthy", () => {
	expect(
		run([
			[1, 6000],
			[1, 7000],
			[1, 8000],
			[0, 9000],
			[0, 9500],
		]),
	).toEqual(["starting 1", "unhealthy 2 !", "unhealthy 3", "healthy 0 !", "healthy 0"]);
});

test("only the last five results are kept, their output cut", () => {
	let health: ContainerHealth = INITIAL_HEALTH;
	for (let run = 0; run < 7; run++)
		health = step(PLAN, health, {
			outcome: { kind: "ended", exitCode: 0, output: String(run).repeat(5000) },
			start: "s",
			end: "e",
			sinceStartMs: 0,
		}).health;
	expect(health.log.map(({ Output }) => [Output[0], Output.length])).toEqual(
		["2", "3", "4", "5", "6"].map((digit) => [digit, 4099]),
	);
});

test("a probe that took too long or could not begin counts as -1 with the reason", () => {
	const result = (outcome: Parameters<typeof step>[2]["outcome"]) =>
		step(PLAN, INITIAL_HEALTH, { outcome, start: "s", end: "e", sinceStartMs: 9000 }).health.log[0];
	expect(result({ kind: "timed-out", output: "half" })).toEqual({
		Start: "s",
		End: "e",
		ExitCode: -1,
		Output: "Health check exceeded timeout (30s): half",
	});
	expect(result({ kind: "failed", error: "no shell" })?.Output).toBe("no shell");
});

test("probes come more often until it is healthy or the start period is over", () => {
	const healthy: ContainerHealth = { ...INITIAL_HEALTH, status: "healthy" };
	expect([
		nextProbeDelayMs(PLAN, INITIAL_HEALTH, 0),
		nextProbeDelayMs(PLAN, INITIAL_HEALTH, 5000),
		nextProbeDelayMs(PLAN, healthy, 0),
	]).toEqual([100, 1000, 1000]);
});

test("planHealth() fills in the defaults and knows what is no check", () => {
	expect(planHealth({ Test: ["CMD-SHELL", "exit 0"], Interval: 2e9 }, null)).toEqual({
		command: ["/bin/sh", "-c", "exit 0"],
		intervalMs: 2000,
		timeoutMs: 30_000,
		retries: 3,
		startPeriodMs: 0,
		startIntervalMs: 5000,
	});
	expect(planHealth({ Test: ["CMD-SHELL", "x"] }, ["/bin/bash", "-ec"])?.command).toEqual(["/bin/bash", "-ec", "x"]);
	for (const Test of [[], ["NONE"], [""], ["CMD"]]) expect(planHealth({ Test }, null)).toBeUndefined();
	expect(planHealth(undefined, null)).toBeUndefined();
});
