/**
 * The host's /etc/resolv.conf with our server's line in it. Two lines are put in and the same two taken out, so what others write
 * meanwhile stays; those a crash has left are taken out by the next start. Until then they do no harm: nobody listens on the
 * loopback address, resolvers are told so at once and ask the next server.
 */
import {
	closeSync,
	ftruncateSync,
	lstatSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { errnoCode, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { withHostServer, withoutHostServer } from "../../core/network/resolv-conf.ts";

export class ResolvConfFile {
	/** @param owner tells this daemon's lines from those of others */
	constructor(
		private readonly path: string,
		private readonly owner: string,
		private readonly logger: Logger,
	) {}

	insert(address: string): void {
		this.#edit((text) => withHostServer(text, this.owner, address));
	}

	/** Nothing of ours there is success. */
	remove(): void {
		this.#edit((text) => withoutHostServer(text, this.owner));
	}

	#edit(change: (text: string) => string): void {
		try {
			const text = readFileSync(this.path, "utf8");
			const changed = change(text);
			if (changed === text) return;
			if (lstatSync(this.path).isSymbolicLink()) {
				this.logger.warn("the host's resolv.conf is written by another program: tell that one of the server", {
					path: this.path,
				});
				return;
			}
			this.#write(changed);
		} catch (error) {
			this.logger.error("the host's resolv.conf could not be changed", { path: this.path, error: errorMessage(error) });
		}
	}

	#write(text: string): void {
		const fresh = `${this.path}.gantry`;
		try {
			writeFileSync(fresh, text, { mode: 0o644 });
			renameSync(fresh, this.path);
		} catch (error) {
			rmSync(fresh, { force: true });
			// A file that is mounted by itself cannot be replaced.
			if (errnoCode(error) !== "EBUSY") throw error;
			this.#overwrite(text);
		}
	}

	/** In one call, and only then shortened: a reader finds the old lines or the new ones. */
	#overwrite(text: string): void {
		const fd = openSync(this.path, "r+");
		try {
			ftruncateSync(fd, writeSync(fd, text, 0));
		} finally {
			closeSync(fd);
		}
	}
}
