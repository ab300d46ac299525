import { exportVolume } from "../../client/volumes.ts";
import type { Command } from "../command.ts";
import { writeArchive } from "../write-archive.ts";
import { withByteProgress } from "./byte-progress.ts";
import { PAUSE_OPTION } from "./pause-option.ts";

export const command: Command = {
	usage: "[OPTIONS] VOLUME",
	description: "Writes the volume's files as a tar archive, with owners, modes, times and attributes.",
	examples: ["gantry volume export -o data.tar data", "gantry volume export --pause data | zstd > data.tar.zst"],
	options: [
		{ name: "output", short: "o", kind: "string", help: "Write to this file instead of standard output" },
		PAUSE_OPTION,
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [name = ""]) {
		const client = await context.client();
		const path = options.text("output");
		const request = () => exportVolume(client, name, { pause: options.bool("pause") });
		await writeArchive(context, path, async () =>
			path === "" ? await request() : withByteProgress(context, await request()),
		);
		return 0;
	},
};
