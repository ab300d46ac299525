import type { StopOptions } from "../../client/containers.ts";
import type { OptionSpec, ParsedOptions } from "../command.ts";
import { checkInteger } from "./option-checks.ts";

/** What `stop` and `restart` share. */
export const STOP_OPTIONS: readonly OptionSpec[] = [
	{ name: "signal", short: "s", kind: "string", help: "Signal that asks the container to stop" },
	{
		name: "time",
		kind: "string",
		value: "int",
		help: "Seconds before it is killed",
		check: checkInteger,
		hidden: true,
	},
	{
		name: "timeout",
		short: "t",
		kind: "string",
		value: "int",
		help: "Seconds before it is killed; -1 waits for ever",
		check: checkInteger,
	},
];

/** @throws Error when the time is given twice */
export function readStopOptions(options: ParsedOptions): StopOptions {
	if (options.has("time") && options.has("timeout"))
		throw new Error("conflicting options: cannot specify both --timeout and --time");
	const seconds = options.text("timeout") || options.text("time");
	return {
		signal: options.text("signal") || undefined,
		timeoutSeconds: seconds === "" ? undefined : Number(seconds),
	};
}
