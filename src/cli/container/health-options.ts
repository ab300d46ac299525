import type { HealthConfig } from "../../api/engine/container.ts";
import type { ParsedOptions } from "../command.ts";
import { checkDuration } from "./option-checks.ts";

const NANOSECONDS_PER_MS = 1e6;

/** The health check the options ask for; undefined when they say nothing. @throws Error */
export function parseHealthcheck(options: ParsedOptions): HealthConfig | undefined {
	const names = [
		"health-cmd",
		"health-interval",
		"health-retries",
		"health-start-interval",
		"health-start-period",
		"health-timeout",
	];
	const isGiven = names.some((name) => options.has(name));
	if (options.bool("no-healthcheck")) {
		if (isGiven) throw new Error("--no-healthcheck conflicts with --health-* options");
		return { Test: ["NONE"] };
	}
	if (!isGiven) return undefined;
	const command = options.text("health-cmd");
	const retries = Number(options.text("health-retries") || "0");
	if (retries < 0) throw new Error("--health-retries cannot be negative");
	return {
		...(command === "" ? {} : { Test: ["CMD-SHELL", command] }),
		Interval: duration(options, "health-interval"),
		Timeout: duration(options, "health-timeout"),
		StartPeriod: duration(options, "health-start-period"),
		StartInterval: duration(options, "health-start-interval"),
		Retries: retries,
	};
}

function duration(options: ParsedOptions, name: string): number {
	const milliseconds = checkDuration(options.text(name) || "0");
	if (milliseconds < 0) throw new Error(`--${name} cannot be negative`);
	return Math.round(milliseconds * NANOSECONDS_PER_MS);
}
