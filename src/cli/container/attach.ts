import {
	attachContainer,
	inspectContainer,
	killContainer,
	resizeContainer,
	waitContainer,
} from "../../client/containers.ts";
import type { Command } from "../command.ts";
import { ExitError } from "../usage-error.ts";
import { checkDetachKeys, DEFAULT_DETACH_KEYS } from "./detach-keys.ts";
import { proxySignals } from "./signal-proxy.ts";
import { runSession } from "./stdio-session.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER",
	examples: ["gantry attach web", "gantry attach --detach-keys ctrl-x web"],
	options: [
		{ name: "detach-keys", kind: "string", help: "Keys that leave the container running (ctrl-p,ctrl-q)" },
		{ name: "no-stdin", kind: "bool", help: "Do not attach standard input" },
		{ name: "sig-proxy", kind: "bool", help: "Pass signals on to the container", default: "true" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [container = ""]) {
		const client = await context.client();
		const { Id, Config, State } = await inspectContainer(client, container);
		if (!State.Running) throw new Error("You cannot attach to a stopped container, start it first");
		if (State.Paused) throw new Error("You cannot attach to a paused container, unpause it first");
		if (State.Restarting) throw new Error("You cannot attach to a restarting container, wait until it is running");
		const isTty = Config.Tty === true;
		const hasInput = !options.bool("no-stdin") && Config.OpenStdin === true;
		if (isTty && hasInput && !(await import("../terminal.ts")).isTerminal(0))
			throw new ExitError(1, "the input device is not a TTY");
		const detachKeys = options.text("detach-keys") || (await context.config()).detachKeys || "";
		checkDetachKeys(detachKeys);
		const [channel, waiting] = await Promise.all([
			attachContainer(client, Id, { stream: true, stdin: hasInput, stdout: true, stderr: true, detachKeys }),
			waitContainer(client, Id),
		]);
		const stops: (() => void)[] = [];
		if (options.bool("sig-proxy") && !isTty)
			stops.push(
				proxySignals(
					(signal) => killContainer(client, Id, signal),
					() => process.exit(1),
					isTty,
				),
			);
		if (isTty) {
			const { followTerminalSize } = await import("./terminal-input.ts");
			stops.push(
				followTerminalSize((rows, columns) => resizeContainer(client, Id, rows, columns), { isRedrawn: true }),
			);
		}
		try {
			const end = await runSession({
				channel,
				isTty,
				hasInput,
				stdout: context.stdout,
				stderr: context.stderr,
				detachKeys: detachKeys || DEFAULT_DETACH_KEYS,
			});
			if (end === "detached") throw new ExitError(1, "read escape sequence");
			return (await waiting.result).StatusCode;
		} finally {
			for (const stop of stops) stop();
		}
	},
};
