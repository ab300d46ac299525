/**
 * Containers' snapshots on disk: `<root>/containers/<id>/parent` names the layer the container stands on (empty: none). The
 * directory counts from the moment that file is there.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, NotFoundError, SystemError } from "../../base/errors.ts";
import type { ChainId } from "../../core/snapshot/snapshotter.ts";
import { spreadSubdirectories } from "../linux/inode-flags.ts";

export class ContainerDirectories {
	readonly #parents = new Map<string, ChainId | undefined>();

	constructor(readonly root: string) {
		mkdirSync(join(root, "containers"), { recursive: true, mode: 0o711 });
		spreadSubdirectories(join(root, "containers"));
		for (const id of readdirSync(join(root, "containers"))) {
			const parent = readParent(this.path(id));
			if (parent !== undefined) this.#parents.set(id, parent === "" ? undefined : (parent as ChainId));
		}
	}

	path(id: string): string {
		if (!/^[a-zA-Z0-9][\w.-]*$/.test(id)) throw new SystemError(`not a container's ID: ${id}`);
		return join(this.root, "containers", id);
	}

	has(id: string): boolean {
		return this.#parents.has(id);
	}

	/** Directories on disk, half-made ones included. */
	all(): string[] {
		return readdirSync(join(this.root, "containers"));
	}

	parent(id: string): ChainId | undefined {
		if (!this.#parents.has(id)) throw new NotFoundError(`no snapshot for container ${id}`);
		return this.#parents.get(id);
	}

	/** Last step of making one. */
	register(id: string, parent: ChainId | undefined): void {
		const directory = this.path(id);
		writeFileSync(join(directory, "parent.new"), parent ?? "");
		renameSync(join(directory, "parent.new"), join(directory, "parent"));
		this.#parents.set(id, parent);
	}

	forget(id: string): void {
		this.#parents.delete(id);
	}

	layersInUse(): ReadonlySet<ChainId> {
		return new Set([...this.#parents.values()].filter((parent) => parent !== undefined));
	}
}

function readParent(directory: string): string | undefined {
	try {
		return readFileSync(join(directory, "parent"), "utf8");
	} catch (error) {
		if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return undefined;
		throw error;
	}
}
