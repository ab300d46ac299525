import { containerLogs, inspectContainer } from "../../client/containers.ts";
import { Demultiplexer } from "../../client/multiplexed-stream.ts";
import type { Command } from "../command.ts";
import { parseTimestamp } from "../timestamp.ts";

export const command: Command = {
	usage: "[OPTIONS] CONTAINER",
	examples: ["gantry logs -f --tail 100 web", "gantry logs --since 10m -t web"],
	options: [
		{ name: "details", kind: "bool", help: "Show what the log driver was told to add" },
		{ name: "follow", short: "f", kind: "bool", help: "Go on with what is written from now on" },
		{ name: "since", kind: "string", help: "Only what is younger (2024-05-01T12:00:00Z, or 42m for 42 minutes ago)" },
		{ name: "tail", short: "n", kind: "string", help: "Only the last lines, so many of them", default: "all" },
		{ name: "timestamps", short: "t", kind: "bool", help: "Show when each line was written" },
		{ name: "until", kind: "string", help: "Only what is older" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [container = ""]) {
		const client = await context.client();
		const now = Date.now();
		const time = (name: string) =>
			options.text(name) === "" ? undefined : parseTimestamp(options.text(name), now, name);
		const request = {
			stdout: true,
			stderr: true,
			follow: options.bool("follow"),
			timestamps: options.bool("timestamps"),
			details: options.bool("details"),
			since: time("since"),
			until: time("until"),
			tail: options.text("tail"),
		};
		const { Config, Id } = await inspectContainer(client, container);
		const response = await containerLogs(client, Id, request);
		if (Config.Tty) {
			for await (const bytes of response) await context.stdout.writeThrough(bytes);
			return 0;
		}
		const demultiplexer = new Demultiplexer();
		for await (const bytes of response) {
			for (const [name, payload] of demultiplexer.push(bytes))
				(name === "stdout" ? context.stdout : context.stderr).write(payload);
			await context.stdout.flush();
			await context.stderr.flush();
		}
		return 0;
	},
};
