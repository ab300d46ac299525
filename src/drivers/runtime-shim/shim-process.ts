import { SystemError } from "../../base/errors.ts";

/** Environment of the shim and so of the OCI runtime; nothing of the daemon's own leaks into either. */
const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/**
 * Starts a shim in a session of its own and waits until its socket accepts connections.
 * @param inherited descriptors that become 3, 4, … in the shim.
 * @throws SystemError with what the shim printed when it could not begin.
 */
export async function spawnShim(shimPath: string, directory: string, inherited: readonly number[]): Promise<void> {
	const shim = spawn(shimPath, directory, inherited);
	const reader = shim.stdout.getReader();
	const { value } = await reader.read();
	shim.unref();
	if (value !== undefined) {
		await Promise.all([reader.cancel(), shim.stderr.cancel()]);
		return;
	}
	const text = await new Response(shim.stderr).text();
	await shim.exited;
	throw new SystemError(text.trim() || `The monitor ${shimPath} ended with status ${shim.exitCode}`);
}

function spawn(shimPath: string, directory: string, inherited: readonly number[]) {
	try {
		return Bun.spawn({
			cmd: [shimPath, directory],
			cwd: "/",
			env: ENVIRONMENT,
			detached: true,
			stdio: ["ignore", "pipe", "pipe", ...inherited],
		});
	} catch (error) {
		throw new SystemError(`Can't start the monitor ${shimPath}`, { cause: error });
	}
}
