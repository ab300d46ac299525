import { SystemError } from "../../base/errors.ts";
import type { RuntimeBinary } from "../../core/container/runtime.ts";
import { runtimeMessage } from "./start-failure.ts";

/**
 * Runs `<runtime> <arguments>` to its end.
 * @param copyPath a copy of the program to run in its place
 * @throws SystemError with what the runtime printed when it fails.
 */
export async function runOciCommand(
	runtime: RuntimeBinary,
	command: readonly string[],
	{ copyPath, input }: { readonly copyPath: string | undefined; readonly input?: string },
): Promise<void> {
	let child: Bun.Subprocess<Blob | "ignore", "ignore", "pipe">;
	try {
		child = Bun.spawn({
			cmd: [copyPath ?? runtime.path, ...runtime.args, ...command],
			argv0: runtime.path,
			cwd: "/",
			stdin: input === undefined ? "ignore" : new Blob([input]),
			stdout: "ignore",
			stderr: "pipe",
		});
	} catch (error) {
		throw new SystemError(`Can't execute the OCI runtime ${runtime.path}`, { cause: error });
	}
	const [text, exitCode] = await Promise.all([new Response(child.stderr).text(), child.exited]);
	if (exitCode !== 0)
		throw new SystemError(`OCI runtime ${command[0]} failed: ${runtimeMessage(text) || `exit status ${exitCode}`}`);
}
