/**
 * A few network namespaces made ahead, in idle time: loopback up and the sysctls of every container set. They are held by
 * descriptors alone, so that those of a daemon that died are gone with it.
 */
import { writeFileSync } from "node:fs";
import type { Clock, Timer } from "../../base/clock.ts";
import { errnoCode, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { setLinkRequest } from "../linux/links.ts";
import { createNetworkNamespace, inNetworkNamespace } from "../linux/namespaces.ts";
import { NetlinkSocket } from "../linux/netlink.ts";

const LOOPBACK_INDEX = 1;
const REFILL_DELAY_MS = 20;

/**
 * Defaults of every container's namespace: any port and ping for any user, as Docker sets them; interfaces get IPv6 when their
 * network has it.
 */
const SYSCTLS: Readonly<Record<string, string>> = {
	"net.ipv4.ip_unprivileged_port_start": "0",
	"net.ipv4.ping_group_range": "0 2147483647",
	"net.ipv6.conf.default.disable_ipv6": "1",
};

export class SandboxPool {
	readonly #ready: number[] = [];
	#timer: Timer | undefined;
	#closed = false;

	constructor(
		private readonly size: number,
		private readonly clock: Clock,
		private readonly logger: Logger,
	) {}

	/** Descriptor of a prepared namespace; the caller owns it. @throws ErrnoError */
	take(): number {
		const fd = this.#ready.pop() ?? prepareNamespace();
		this.refill();
		return fd;
	}

	/** Makes the missing ones, one at a time, when the event loop has nothing better to do. */
	refill(): void {
		if (this.#closed || this.#timer !== undefined || this.#ready.length >= this.size) return;
		this.#timer = this.clock.after(REFILL_DELAY_MS, () => {
			this.#timer = undefined;
			try {
				this.#ready.push(prepareNamespace());
			} catch (error) {
				// The next container will meet the same failure and report it.
				this.logger.warn("network namespace could not be made ahead", { error: errorMessage(error) });
				return;
			}
			this.refill();
		});
	}

	close(): void {
		this.#closed = true;
		this.#timer?.cancel();
		for (const fd of this.#ready.splice(0)) closeDescriptor(fd);
	}
}

function prepareNamespace(): number {
	const fd = createNetworkNamespace();
	try {
		const socket = inNetworkNamespace(fd, () => {
			for (const [name, value] of Object.entries(SYSCTLS)) writeSysctlIfPresent(name, value);
			return new NetlinkSocket();
		});
		try {
			socket.request(setLinkRequest(LOOPBACK_INDEX, { up: true }));
		} finally {
			socket.close();
		}
		return fd;
	} catch (error) {
		closeDescriptor(fd);
		throw error;
	}
}

function writeSysctlIfPresent(name: string, value: string): void {
	try {
		writeSysctl(name, value);
	} catch (error) {
		// A kernel without IPv6 or without unprivileged ping.
		if (errnoCode(error) !== "ENOENT") throw error;
	}
}

/** Writes a `net.*` sysctl of the current network namespace. Slashes in a name stand for dots in an interface's name. */
export function writeSysctl(name: string, value: string): void {
	const path = name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
	writeFileSync(`/proc/sys/${path}`, value);
}
