/**
 * Network namespaces. The main thread visits another namespace only for the length of one synchronous call: nothing
 * asynchronous may start inside, since thread-pool threads would stay behind there. A namespace lives as long as a
 * descriptor, a bind mount on a file, or a process holds it. New PID namespaces are never made here: a process that did
 * could not make threads any more.
 */
import { closeSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { errnoCode } from "../../base/errors.ts";
import { closeDescriptor, O } from "./file-descriptors.ts";
import { check, libc } from "./libc.ts";
import { MS, mount, unmountAll } from "./mount.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";

const CLONE_NEWNET = 0x40000000;
const OWN_NAMESPACE = "/proc/thread-self/ns/net";

/** Descriptor of the current thread's network namespace. */
export function openCurrentNetworkNamespace(): number {
	return openSync(OWN_NAMESPACE, O.RDONLY | O.CLOEXEC);
}

/** Descriptor of the namespace bound to `path`. @throws ENOENT */
export function openNamespace(path: string): number {
	return openSync(path, O.RDONLY | O.CLOEXEC);
}

/** Runs synchronous `work` in the namespace. The way back cannot fail short of a broken kernel; then the process ends. */
export function inNetworkNamespace<T>(namespaceFd: number, work: () => T): T {
	return away(() => check(libc.setns(namespaceFd, CLONE_NEWNET), "setns"), work);
}

/** A new, empty network namespace: only a loopback interface, down. @returns a descriptor that keeps it alive */
export function createNetworkNamespace(): number {
	return away(() => check(libc.unshare(CLONE_NEWNET), "unshare"), openCurrentNetworkNamespace);
}

function away<T>(leave: () => void, work: () => T): T {
	const home = openCurrentNetworkNamespace();
	try {
		leave();
		try {
			return work();
		} finally {
			// Everything this process opened from here on would land in a container: better no daemon than that one.
			if (libc.setns(home, CLONE_NEWNET) !== 0) process.abort();
		}
	} finally {
		closeDescriptor(home);
	}
}

/** A netlink socket of another namespace, to be used from here. */
export function openNetlinkIn(namespaceFd: number, protocol: number = NETLINK_ROUTE): NetlinkSocket {
	return inNetworkNamespace(namespaceFd, () => new NetlinkSocket(protocol));
}

/** Gives the namespace a name in the file system that keeps it alive. An older one at `path` is let go. */
export function bindNamespace(namespaceFd: number, path: string): void {
	unbindNamespace(path);
	mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
	closeSync(openSync(path, O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, 0o444));
	mount(`/proc/self/fd/${namespaceFd}`, path, null, MS.BIND);
}

/** Removes the name. The namespace ends when nothing else holds it. Nothing there is success. */
export function unbindNamespace(path: string): void {
	unmountAll(path);
	try {
		unlinkSync(path);
	} catch (error) {
		if (errnoCode(error) !== "ENOENT") throw error;
	}
}
