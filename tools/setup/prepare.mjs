// The set-up that `npm start` and `npm test` share. It runs on the user's Node with no dependency installed and may be
// run again at any time: what is already there is left alone.
import { spawn } from "node:child_process";
import { BUN, prepareCheckout, ROOT } from "./checkout.mjs";
import { prepareMachine } from "./machine.mjs";
import { SetupError } from "./setup-error.mjs";

const OLDEST_NODE = 20;

/** Prepares machine and checkout, then runs `program` with Bun and ends with its exit code. */
export async function prepareAndRun(program, args, packages) {
	try {
		prepare(packages);
	} catch (error) {
		if (!(error instanceof SetupError)) throw error;
		process.stderr.write(`\n${error.message}\n`);
		process.exit(1);
	}
	process.exit(await runWithBun([program, ...args]));
}

function prepare(packages) {
	const major = Number.parseInt(process.versions.node, 10);
	if (major < OLDEST_NODE) throw new SetupError(`Node ${OLDEST_NODE} or newer is needed; this is ${process.version}`);
	const log = (line) => process.stdout.write(`set-up: ${line}\n`);
	prepareMachine(packages, log);
	prepareCheckout(log);
}

/** Passes signals on, so that the program can end what it started. */
function runWithBun(args) {
	return new Promise((resolve, reject) => {
		const child = spawn(BUN, ["--no-env-file", "--no-install", ...args], { cwd: ROOT, stdio: "inherit" });
		for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
		child.on("error", reject);
		child.on("exit", (code) => resolve(code ?? 1));
	});
}
