/** Containers' network namespaces, each bound to a file so that it lives without a process. */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { errnoCode } from "../../base/errors.ts";
import type { NetworkSandbox } from "../../core/network/driver.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { bindNamespace, inNetworkNamespace, openNamespace, unbindNamespace } from "../linux/namespaces.ts";
import { type SandboxPool, writeSysctl } from "./sandbox-pool.ts";

export class Sandboxes {
	constructor(
		private readonly directory: string,
		private readonly pool: SandboxPool,
	) {}

	prepare(): void {
		mkdirSync(this.directory, { recursive: true, mode: 0o711 });
	}

	path(containerId: string): string {
		return join(this.directory, containerId);
	}

	/** IDs of containers. */
	list(): string[] {
		return readdirSync(this.directory);
	}

	create(containerId: string, sysctls: Readonly<Record<string, string>>): NetworkSandbox {
		const path = this.path(containerId);
		if (!isBoundNamespace(path)) {
			const fd = this.pool.take();
			try {
				bindNamespace(fd, path);
			} finally {
				closeDescriptor(fd);
			}
		}
		const entries = Object.entries(sysctls);
		if (entries.length > 0)
			this.use(containerId, (fd) =>
				inNetworkNamespace(fd, () => {
					for (const [name, value] of entries) writeSysctl(name, value);
				}),
			);
		return { containerId, path };
	}

	/** Gone already is success. */
	remove(containerId: string): void {
		unbindNamespace(this.path(containerId));
	}

	has(containerId: string): boolean {
		return isBoundNamespace(this.path(containerId));
	}

	/** @throws ENOENT */
	use<T>(containerId: string, work: (fd: number) => T): T {
		const fd = openNamespace(this.path(containerId));
		try {
			return work(fd);
		} finally {
			closeDescriptor(fd);
		}
	}
}

/** A file that is a mount point has another device than its directory. A leftover of before a reboot is a plain file. */
function isBoundNamespace(path: string): boolean {
	try {
		return statSync(path).dev !== statSync(join(path, "..")).dev;
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return false;
		throw error;
	}
}
