/** HEALTHCHECK. */
import { EngineError, errorMessage } from "../../../base/errors.ts";
import { parseDurationMs } from "../../../base/units.ts";
import type { HealthcheckInstruction } from "../syntax.ts";
import type { InstructionContext } from "./instruction-context.ts";
import { firstWord, parseCommandLine } from "./instruction-words.ts";

const NS_PER_MS = 1_000_000;
const MAX_RETRIES = 2 ** 31 - 1;

/** @throws DockerfileError */
export function parseHealthcheck(context: InstructionContext): HealthcheckInstruction {
	const flags = context.flags({
		interval: "text",
		timeout: "text",
		"start-period": "text",
		"start-interval": "text",
		retries: "text",
	});
	const { first, rest } = firstWord(context.rest);
	const type = first.text.toUpperCase();
	if (type === "") throw context.atLeastOne();
	if (type === "NONE" && rest.text !== "") throw context.problem("HEALTHCHECK NONE takes no arguments", rest);
	if (type !== "NONE" && type !== "CMD")
		throw context.problem(`Unknown type "${first.text}" in HEALTHCHECK (try CMD)`, first);
	const command = type === "NONE" ? undefined : parseCommandLine(rest.text);
	if (command === "not texts") throw context.problem("a JSON list of arguments must hold texts only", rest);
	if (command?.form === "shell" ? command.line === "" : command?.arguments.length === 0)
		throw context.problem("Missing command after HEALTHCHECK CMD");
	return {
		...context.base,
		kind: "healthcheck",
		command,
		intervalNs: nanoseconds(context, "interval", flags.interval),
		timeoutNs: nanoseconds(context, "timeout", flags.timeout),
		startPeriodNs: nanoseconds(context, "start-period", flags["start-period"]),
		startIntervalNs: nanoseconds(context, "start-interval", flags["start-interval"]),
		retries: retries(context, flags.retries),
	};
}

function nanoseconds(context: InstructionContext, flag: string, text = ""): number {
	if (text === "") return 0;
	let ms: number;
	try {
		ms = parseDurationMs(text);
	} catch (error) {
		if (error instanceof EngineError)
			throw context.problem(`--${flag}: ${errorMessage(error)}`, context.flagWord(flag));
		throw error;
	}
	if (ms !== 0 && ms < 1) throw context.problem(`Interval "${flag}" cannot be less than 1ms`, context.flagWord(flag));
	return Math.round(ms * NS_PER_MS);
}

function retries(context: InstructionContext, text = ""): number {
	if (text === "") return 0;
	const where = context.flagWord("retries");
	const count = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
	if (Number.isNaN(count) || count > MAX_RETRIES) throw context.problem(`--retries: "${text}" is no number`, where);
	if (count < 0) throw context.problem(`--retries cannot be negative (${count})`, where);
	return count;
}
