import { writeSync } from "node:fs";
import { errorMessage } from "../../base/errors.ts";
import { readConfig } from "./config.ts";
import { gcHelp, serveHelp, USAGE } from "./help.ts";

const STDOUT = 1;
const STDERR = 2;

/** `gantry registry …`. @returns its exit code, when it has ended */
export async function runRegistry(argv: readonly string[]): Promise<number> {
	const [command = "", ...rest] = argv;
	const wantsHelp = rest.includes("--help") || rest.includes("-h");
	if (command === "serve" || command === "gc") {
		if (wantsHelp) return print(command === "serve" ? serveHelp() : gcHelp());
		try {
			const config = readConfig(rest);
			const { collectNow, serve } = await import("./lifecycle.ts");
			return await (command === "serve" ? serve(config) : collectNow(config));
		} catch (error) {
			writeSync(
				STDERR,
				`gantry registry ${command}: ${errorMessage(error)}\nSee 'gantry registry ${command} --help'.\n`,
			);
			return 1;
		}
	}
	if (command === "" || command === "--help" || command === "-h" || command === "help") return print(USAGE);
	writeSync(STDERR, `gantry registry: unknown command: ${command}\n\n${USAGE}`);
	return 1;
}

function print(text: string): number {
	writeSync(STDOUT, text);
	return 0;
}
