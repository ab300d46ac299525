/** Health checks as a pure state machine: what a probe's result changes, and when the next one is due. */
import type { HealthConfig, HealthcheckResult } from "../../api/engine/container.ts";
import type { ContainerHealth } from "./container-record.ts";

/** A container's health check with every default filled in. Times in milliseconds. */
export interface HealthPlan {
	readonly command: readonly string[];
	readonly intervalMs: number;
	readonly timeoutMs: number;
	readonly retries: number;
	readonly startPeriodMs: number;
	readonly startIntervalMs: number;
}

const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRIES = 3;
const DEFAULT_START_INTERVAL_MS = 5_000;
const KEPT_RESULTS = 5;
const KEPT_OUTPUT_BYTES = 4096;
const NANOSECONDS_PER_MILLISECOND = 1e6;

/** @param shell the image's `SHELL`; undefined when the container has no health check */
export function planHealth(
	config: HealthConfig | undefined,
	shell: readonly string[] | null | undefined,
): HealthPlan | undefined {
	const [kind = "", ...rest] = config?.Test ?? [];
	if (config === undefined || kind === "" || kind === "NONE" || rest.length === 0) return undefined;
	const inMs = (nanoseconds: number | undefined, fallback: number) =>
		nanoseconds === undefined || nanoseconds === 0 ? fallback : nanoseconds / NANOSECONDS_PER_MILLISECOND;
	const shellCommand = shell === null || shell === undefined || shell.length === 0 ? ["/bin/sh", "-c"] : shell;
	return {
		command: kind === "CMD-SHELL" ? [...shellCommand, ...rest] : rest,
		intervalMs: inMs(config.Interval, DEFAULT_INTERVAL_MS),
		timeoutMs: inMs(config.Timeout, DEFAULT_TIMEOUT_MS),
		retries: config.Retries || DEFAULT_RETRIES,
		startPeriodMs: inMs(config.StartPeriod, 0),
		startIntervalMs: inMs(config.StartInterval, DEFAULT_START_INTERVAL_MS),
	};
}

export const INITIAL_HEALTH: ContainerHealth = { status: "starting", failingStreak: 0, log: [] };

/** How long to wait for the next probe. In the start period a container that is not healthy yet is asked more often. */
export function nextProbeDelayMs(plan: HealthPlan, health: ContainerHealth, sinceStartMs: number): number {
	const isStarting = health.status === "starting" && sinceStartMs < plan.startPeriodMs;
	return isStarting ? plan.startIntervalMs : plan.intervalMs;
}

/** Ended by itself, or stopped after the timeout, or never begun. */
export type ProbeOutcome =
	| { readonly kind: "ended"; readonly exitCode: number; readonly output: string }
	| { readonly kind: "timed-out"; readonly output: string }
	| { readonly kind: "failed"; readonly error: string };

export interface Probe {
	readonly outcome: ProbeOutcome;
	/** RFC 3339. */
	readonly start: string;
	readonly end: string;
	/** From the container's start to the probe's start. */
	readonly sinceStartMs: number;
}

export interface HealthStep {
	readonly health: ContainerHealth;
	/** Set when the status changed: the event `health_status: <status>` is due. */
	readonly changedTo?: "healthy" | "unhealthy";
}

/** Failures in the start period do not count, a success ends it for good; `retries` failures in a row are unhealthy. */
export function step(plan: HealthPlan, health: ContainerHealth, probe: Probe): HealthStep {
	const result = resultOf(plan, probe);
	const log = [...health.log, result].slice(-KEPT_RESULTS);
	if (result.ExitCode === 0) return changed(health, { status: "healthy", failingStreak: 0, log });
	if (health.status === "starting" && probe.sinceStartMs < plan.startPeriodMs) return { health: { ...health, log } };
	const failingStreak = health.failingStreak + 1;
	const status = failingStreak >= plan.retries ? "unhealthy" : health.status;
	return changed(health, { status, failingStreak, log });
}

function changed(before: ContainerHealth, health: ContainerHealth): HealthStep {
	if (before.status === health.status || health.status === "starting") return { health };
	return { health, changedTo: health.status };
}

function resultOf(plan: HealthPlan, { outcome, start, end }: Probe): HealthcheckResult {
	switch (outcome.kind) {
		case "ended":
			return { Start: start, End: end, ExitCode: outcome.exitCode, Output: clip(outcome.output) };
		case "timed-out": {
			const limit = formatSeconds(plan.timeoutMs);
			const said = outcome.output === "" ? "" : `: ${outcome.output}`;
			return { Start: start, End: end, ExitCode: -1, Output: clip(`Health check exceeded timeout (${limit})${said}`) };
		}
		case "failed":
			return { Start: start, End: end, ExitCode: -1, Output: clip(outcome.error) };
	}
}

/** As Go prints a duration: `30s`, `1m30s`, `500ms`. */
function formatSeconds(durationMs: number): string {
	if (durationMs < 1000) return `${durationMs}ms`;
	const hours = Math.floor(durationMs / 3_600_000);
	const minutes = Math.floor((durationMs % 3_600_000) / 60_000);
	const seconds = (durationMs % 60_000) / 1000;
	return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}

function clip(output: string): string {
	const bytes = Buffer.from(output);
	return bytes.length <= KEPT_OUTPUT_BYTES ? output : `${bytes.subarray(0, KEPT_OUTPUT_BYTES).toString()}...`;
}
