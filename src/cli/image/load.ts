import type { ProgressMessage } from "../../api/engine/image.ts";
import { loadImages } from "../../client/images.ts";
import { jsonLines } from "../../client/json-lines.ts";
import type { Command } from "../command.ts";
import { isTerminal } from "../terminal.ts";
import { openArchive } from "./open-archive.ts";
import { platformJson } from "./platform-json.ts";
import { showProgress } from "./progress.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry load -i web.tar.gz", "ssh host gantry save web:1 | gantry load"],
	options: [
		{ name: "input", short: "i", kind: "string", help: "Read this file instead of standard input" },
		{ name: "platform", kind: "string", help: "Load this platform only (os/architecture)" },
		{ name: "quiet", short: "q", kind: "bool", help: "Show no progress" },
	],
	maxArguments: 0,
	async run(context, options) {
		const path = options.text("input");
		if (path === "" && isTerminal(0)) throw new Error("requested load from stdin, but stdin is empty");
		const stream = path === "" ? Bun.stdin.stream() : await openArchive(path);
		const platform = platformJson(options.text("platform"));
		const response = await loadImages(await context.client(), stream, {
			isQuiet: options.bool("quiet") || !isTerminal(1),
			...(platform === undefined ? {} : { platforms: [platform] }),
		});
		if (response.headers.get("content-type")?.includes("json"))
			await showProgress(jsonLines<ProgressMessage>(response), context.stdout);
		else for await (const bytes of response) await context.stdout.writeThrough(bytes);
		return 0;
	},
};
