import { writeSync } from "node:fs";
import { errorMessage } from "../base/errors.ts";
import { type Invocation, readInvocation } from "./config.ts";
import { parseFlags, usage } from "./option-parser.ts";
import { VERSION } from "./version.ts";

const STDOUT = 1;
const STDERR = 2;

/** The daemon. @returns its exit code, when it has ended */
export async function runDaemon(argv: string[]): Promise<number> {
	let invocation: Invocation;
	try {
		invocation = readInvocation(argv, process.env);
	} catch (error) {
		writeSync(STDERR, `gantryd: ${errorMessage(error)}\nSee 'gantryd --help'.\n`);
		return 1;
	}
	switch (invocation.kind) {
		case "help":
			writeSync(STDOUT, usage());
			return 0;
		case "version":
			writeSync(STDOUT, `Gantry version ${VERSION}\n`);
			return 0;
		case "validate":
			writeSync(STDOUT, "configuration OK\n");
			return 0;
		case "run": {
			// Everything the daemon is made of; the answers above don't need it.
			const { runLifecycle } = await import("./lifecycle.ts");
			return await runLifecycle({ config: invocation.config, flags: parseFlags(argv), environment: process.env });
		}
	}
}
