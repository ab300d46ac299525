import type { Command } from "../command.ts";
import { bashScript, fishScript, zshScript } from "./completion-scripts.ts";

const SHELLS = ["bash", "zsh", "fish"];

export const command: Command = {
	usage: "bash|zsh|fish",
	examples: [
		"gantry completion bash > /etc/bash_completion.d/gantry",
		"gantry completion fish > ~/.config/fish/completions/gantry.fish",
	],
	options: [],
	isInterspersed: false,
	minArguments: 1,
	async run(context, _options, [shell = ""]) {
		if (!SHELLS.includes(shell))
			throw new Error(`gantry completion: unknown shell ${JSON.stringify(shell)}: one of ${SHELLS.join(", ")}`);
		const script = shell === "bash" ? bashScript : shell === "zsh" ? zshScript : fishScript;
		context.stdout.write(script);
		return 0;
	},
};
