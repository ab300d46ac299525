/** RUN. */
import { nearest } from "../../../base/nearest-word.ts";
import type { RunInstruction } from "../syntax.ts";
import type { InstructionContext } from "./instruction-context.ts";
import { parseCommandLine } from "./instruction-words.ts";
import { parseMountFlag } from "./mount-flag.ts";

const NETWORKS = ["default", "none", "host"] as const;
const SECURITY = ["sandbox", "insecure"] as const;

/** @throws DockerfileError */
export function parseRun(context: InstructionContext): RunInstruction {
	const flags = context.flags({ mount: "list", network: "text", security: "text" });
	const command = parseCommandLine(context.rest.text);
	if (command === "not texts") throw context.problem("a JSON list of arguments must hold texts only", context.rest);
	return {
		...context.base,
		kind: "run",
		command,
		heredocs: context.heredocs,
		mounts: flags.mount.map((text, index) =>
			context.locate(
				() => parseMountFlag(text),
				() => context.flagWord("mount", index),
			),
		),
		network: oneOf(context, "network", flags.network, NETWORKS),
		security: oneOf(context, "security", flags.security, SECURITY),
	};
}

function oneOf<Value extends string>(
	context: InstructionContext,
	flag: string,
	text: string | undefined,
	known: readonly Value[],
): Value | undefined {
	if (text === undefined) return undefined;
	const value = known.find((candidate) => candidate === text);
	if (value !== undefined) return value;
	throw context.problem(`invalid ${flag} mode "${text}"`, context.flagWord(flag), nearest(text, known));
}
