import { closeSync, openSync, writeFileSync } from "node:fs";
import { errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import { formatIdRanges, type IdMap } from "../../core/container/id-map.ts";

/**
 * A user namespace with a map, for mounts to take their owners from. No process stays in it: the descriptor keeps it alive. A process
 * is needed to make one, and cannot be this one, which has threads.
 * @throws SystemError
 */
export async function openUserNamespace(map: IdMap): Promise<Disposable & { readonly fd: number }> {
	const child = startInNamespace();
	try {
		// When it echoes it has its namespace.
		child.stdin.write("\n");
		await child.stdin.flush();
		const { done } = await child.stdout.getReader().read();
		if (done) throw new Error("unshare failed: user namespaces may be forbidden on this machine");
		writeFileSync(`/proc/${child.pid}/uid_map`, formatIdRanges(map.uids));
		writeFileSync(`/proc/${child.pid}/gid_map`, formatIdRanges(map.gids));
		const fd = openSync(`/proc/${child.pid}/ns/user`, "r");
		return { fd, [Symbol.dispose]: () => closeSync(fd) };
	} catch (cause) {
		throw new SystemError(`cannot make a user namespace for an ID-mapped mount: ${errorMessage(cause)}`, { cause });
	} finally {
		child.kill("SIGKILL");
		await child.exited;
	}
}

function startInNamespace() {
	try {
		return Bun.spawn(["unshare", "--user", "cat"], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
	} catch (cause) {
		if (errnoCode(cause) !== "ENOENT") throw cause;
		throw new SystemError("ID-mapped mounts need the program unshare, which is not on this machine", { cause });
	}
}
