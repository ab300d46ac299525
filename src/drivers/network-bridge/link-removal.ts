/**
 * Interfaces are removed by a process of its own: the kernel makes the caller wait for its grace periods, 20–70 ms in which the
 * daemon would do nothing else.
 */
import { errnoCode } from "../../base/errors.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { deleteLink, findLinkIndex } from "../linux/links.ts";
import { openNamespace, openNetlinkIn } from "../linux/namespaces.ts";
import type { NetlinkSocket } from "../linux/netlink.ts";

/** Of the host. Gone already is success. @throws ErrnoError */
export async function removeHostLink(host: NetlinkSocket, name: string): Promise<void> {
	if (name === "" || findLinkIndex(host, name) === undefined) return;
	await runQuietly(["ip", "link", "delete", name]);
	// Without iproute2, or when it failed: here, and with the reason.
	deleteLink(host, name);
}

/** Of a namespace, by the path it is bound to. A namespace that is gone has taken it along. @throws ErrnoError */
export async function removeLinkInside(namespacePath: string, name: string): Promise<void> {
	await runQuietly(["nsenter", `--net=${namespacePath}`, "ip", "link", "delete", name]);
	let fd: number;
	try {
		fd = openNamespace(namespacePath);
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return;
		throw error;
	}
	try {
		using inside = openNetlinkIn(fd);
		deleteLink(inside, name);
	} catch (error) {
		// A file that is no namespace (any more).
		if (errnoCode(error) !== "EINVAL") throw error;
	} finally {
		closeDescriptor(fd);
	}
}

async function runQuietly(argv: string[]): Promise<void> {
	try {
		await Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
	} catch (error) {
		if (errnoCode(error) !== "ENOENT") throw error;
	}
}
