/**
 * Interfaces that are out of use and still to be removed. The kernel takes its time for that (20–70 ms), so they are taken out of
 * the way first: without addresses, under a name that nobody else wants. Each has a file until it is gone, for the next daemon:
 *
 *   <directory>/<name>
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { deleteAddressRequest, listAddresses } from "../linux/addresses.ts";
import { findLinkIndex, setLinkRequest } from "../linux/links.ts";
import type { NetlinkSocket } from "../linux/netlink.ts";
import { removeHostLink } from "./link-removal.ts";

export class DepartedLinks {
	readonly #pending = new Set<Promise<void>>();

	constructor(
		private readonly directory: string,
		private readonly netlink: NetlinkSocket,
		private readonly logger: Logger,
	) {}

	/** Removes what an earlier daemon left. */
	resume(): void {
		mkdirSync(this.directory, { recursive: true, mode: 0o700 });
		for (const name of readdirSync(this.directory)) this.#remove(name);
	}

	/**
	 * Sees an interface off. Its name and addresses are free at once. Gone already is success.
	 * @param id unique; the interface is called after it until it is gone
	 */
	send(name: string, id: string): void {
		const index = findLinkIndex(this.netlink, name);
		if (index === undefined) return;
		const gone = `gone-${id.slice(0, 10)}`;
		writeFileSync(join(this.directory, gone), "", { mode: 0o600 });
		for (const { linkIndex, address, prefixLength } of listAddresses(this.netlink))
			if (linkIndex === index) this.netlink.request(deleteAddressRequest(index, `${address}/${prefixLength}`));
		this.#rename(index, gone);
		this.#remove(gone);
	}

	/** Resolves when nothing is being removed any more. */
	async settled(): Promise<void> {
		await Promise.all(this.#pending);
	}

	#rename(index: number, newName: string): void {
		try {
			this.netlink.request(setLinkRequest(index, { newName }));
		} catch (error) {
			// Linux before 6.2 renames only what is down.
			if (errnoCode(error) !== "EBUSY") throw error;
			this.netlink.requestAll([setLinkRequest(index, { up: false }), setLinkRequest(index, { newName })]);
		}
	}

	#remove(name: string): void {
		const removal = removeHostLink(this.netlink, name)
			.then(() => rmSync(join(this.directory, name), { force: true }))
			.catch((error: unknown) =>
				this.logger.warn("interface could not be removed", { link: name, error: errorMessage(error) }),
			)
			.finally(() => this.#pending.delete(removal));
		this.#pending.add(removal);
	}
}
