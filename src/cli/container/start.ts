import {
	attachContainer,
	inspectContainer,
	killContainer,
	resizeContainer,
	startContainer,
	waitContainer,
} from "../../client/containers.ts";
import type { Command, ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { forEachTarget } from "../for-each-target.ts";
import { checkDetachKeys, DEFAULT_DETACH_KEYS } from "./detach-keys.ts";
import { runSession } from "./stdio-session.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER [CONTAINER...]",
	examples: ["gantry start web db", "gantry start -ai shell"],
	options: [
		{ name: "attach", short: "a", kind: "bool", help: "Show its output and pass signals on" },
		{ name: "checkpoint", kind: "string", help: "Restore from this checkpoint", hidden: true },
		{ name: "detach-keys", kind: "string", help: "Keys that leave the container running (ctrl-p,ctrl-q)" },
		{ name: "interactive", short: "i", kind: "bool", help: "Attach standard input too" },
		{ name: "sig-proxy", kind: "bool", help: "Pass signals on to the container", default: "true", hidden: true },
	],
	minArguments: 1,
	async run(context, options, args) {
		if (options.has("checkpoint")) throw new Error("gantry start --checkpoint is not available yet");
		if (options.bool("attach") || options.bool("interactive")) {
			const [container = "", ...more] = args;
			if (more.length > 0) throw new Error("you cannot start and attach multiple containers at once");
			return await startAttached(context, options, container);
		}
		const client = await context.client();
		const failed: string[] = [];
		const start = async (name: string) => {
			try {
				await startContainer(client, name);
			} catch (error) {
				failed.push(name);
				throw error;
			}
		};
		const exitCode = await forEachTarget(context, args, start, { isSequential: true });
		if (failed.length > 0) context.stderr.line(`Error: failed to start containers: ${failed.join(", ")}`);
		return exitCode;
	},
};

async function startAttached(context: CliContext, options: ParsedOptions, container: string): Promise<number> {
	const client = await context.client();
	const { Id, Config, HostConfig } = await inspectContainer(client, container);
	const isTty = Config.Tty === true;
	const hasInput = options.bool("interactive") && Config.OpenStdin === true;
	const detachKeys = options.text("detach-keys") || (await context.config()).detachKeys || "";
	checkDetachKeys(detachKeys);
	const [channel, waiting] = await Promise.all([
		attachContainer(client, Id, { stream: true, stdin: hasInput, stdout: true, stderr: true, detachKeys }),
		waitContainer(client, Id, HostConfig.AutoRemove ? "removed" : "next-exit"),
	]);
	const stops: (() => void)[] = [];
	if (options.bool("sig-proxy") && !isTty) {
		const { proxySignals } = await import("./signal-proxy.ts");
		stops.push(
			proxySignals(
				(signal) => killContainer(client, Id, signal),
				() => process.exit(1),
				isTty,
			),
		);
	}
	if (isTty) await import("./terminal-input.ts");
	const { stdout, stderr } = context;
	const session = runSession({
		channel,
		isTty,
		hasInput,
		stdout,
		stderr,
		detachKeys: detachKeys || DEFAULT_DETACH_KEYS,
	});
	session.catch(() => {}); // awaited after the start
	try {
		await startContainer(client, Id);
	} catch (error) {
		channel.destroy();
		await session.catch(() => {}); // gives the terminal back
		throw error;
	}
	try {
		if (isTty) {
			const { followTerminalSize } = await import("./terminal-input.ts");
			stops.push(followTerminalSize((rows, columns) => resizeContainer(client, Id, rows, columns)));
		}
		return (await session) === "detached" ? 0 : (await waiting.result).StatusCode;
	} finally {
		for (const stop of stops) stop();
	}
}
