import type { OptionSpec } from "../command.ts";

export const PAUSE_OPTION: OptionSpec = {
	name: "pause",
	kind: "bool",
	help: "Pause the containers that use the volume meanwhile",
};
