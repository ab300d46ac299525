import { posix } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import type { FilesystemChange } from "../../api/engine/container.ts";
import { ConflictError, errorKind, errorMessage, ForbiddenError, NotFoundError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { resolveUser } from "../../core/container/user.ts";
import type { LayerApplier, PathStat, TreeArchiver, WriteTreeOptions } from "../../core/diff/archiver.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import type { BackgroundWork } from "./background-work.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerFilesystem } from "./filesystem.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { TaskTable } from "./tasks.ts";

export interface ContainerFilesDependencies {
	readonly registry: ContainerRegistry;
	readonly tasks: TaskTable;
	readonly filesystem: ContainerFilesystem;
	readonly files: ContainerHostFiles;
	readonly snapshotter: Snapshotter;
	readonly archiver: TreeArchiver;
	readonly applier: LayerApplier;
	readonly background: BackgroundWork;
	readonly events: EventPublisher;
	readonly logger: Logger;
}

/** A container's view of its files, to be given back. */
interface OpenTree {
	readonly path: string;
	release(): Promise<void>;
}

/** Copying from and to containers, whether they run or not; export and diff. */
export class ContainerFiles {
	readonly #deps: ContainerFilesDependencies;

	constructor(deps: ContainerFilesDependencies) {
		this.#deps = deps;
	}

	async stat(name: string, path: string): Promise<PathStat> {
		const record = this.#deps.registry.resolve(name);
		return await this.#inTree(record, (root) => located(name, path, () => this.#deps.archiver.stat(root, path)));
	}

	async read(name: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: Readable }> {
		const record = this.#deps.registry.resolve(name);
		const tree = await this.#open(record);
		try {
			const { stat, tar } = await located(name, path, () => this.#deps.archiver.read(tree.path, path));
			publishContainerEvent(this.#deps.events, record, "archive-path");
			return { stat, tar: this.#releasing(tar, tree) };
		} catch (error) {
			await tree.release();
			throw error;
		}
	}

	/** @throws NotFoundError, ForbiddenError for a read-only place, InvalidParameterError for a broken archive */
	async write(
		name: string,
		path: string,
		tar: Readable,
		options: Pick<WriteTreeOptions, "noOverwriteDirNonDir" | "copyUidGid">,
	): Promise<void> {
		const record = this.#deps.registry.resolve(name);
		await this.#inTree(record, async (root) => {
			checkWritable(record, path);
			const owner = options.copyUidGid ? this.#owner(record, root) : undefined;
			await located(name, path, () => this.#deps.archiver.write(root, path, tar, { ...options, owner }));
		});
		publishContainerEvent(this.#deps.events, record, "extract-to-dir");
	}

	/** A tar of the root file system without what is mounted on it. */
	async export(name: string): Promise<Readable> {
		const record = this.#deps.registry.resolve(name);
		if (record.lifecycle.kind === "removing" || record.lifecycle.kind === "dead")
			throw new ConflictError(
				`You cannot export container ${record.id} which is ${record.lifecycle.kind === "dead" ? "dead" : "being removed"}`,
			);
		const tree = await this.#mountRoot(record);
		try {
			const tar = this.#deps.archiver.export(tree.path);
			publishContainerEvent(this.#deps.events, record, "export");
			return this.#releasing(tar, tree);
		} catch (error) {
			await tree.release();
			throw error;
		}
	}

	async changes(name: string): Promise<FilesystemChange[]> {
		const { registry, snapshotter, applier } = this.#deps;
		const { id } = registry.resolve(name);
		const { upperPath, parent, isWholeTree } = snapshotter.find(id);
		const lowers = parent === undefined ? [] : snapshotter.stack(parent);
		return await applier.changes(upperPath, lowers, { wholeTree: isWholeTree });
	}

	async #inTree<T>(record: ContainerRecord, work: (root: string) => Promise<T>): Promise<T> {
		const tree = await this.#open(record);
		try {
			return await work(tree.path);
		} finally {
			await tree.release();
		}
	}

	/** The process's own root while it runs: then its mounts are seen as it sees them. */
	async #open(record: ContainerRecord): Promise<OpenTree> {
		const root = await this.#deps.tasks.get(record.id)?.openRoot();
		if (root !== undefined) return { path: root.path, release: async () => root.close() };
		const { files, filesystem } = this.#deps;
		const base = await this.#mountRoot(record);
		const holder = `copy-${newId()}`;
		try {
			const root = { path: base.path, readOnly: record.hostConfig.ReadonlyRootfs === true };
			const tree = await files.mountTree(record.id, root, await filesystem.treeMounts(record, holder));
			return {
				path: tree,
				release: async () => {
					await files.unmountTree(tree);
					await filesystem.releaseTreeMounts(record, holder);
					await base.release();
				},
			};
		} catch (error) {
			await filesystem.releaseTreeMounts(record, holder);
			await base.release();
			throw error;
		}
	}

	/** The merged root of a container, running or not; mounted as long as someone uses it. */
	async #mountRoot(record: ContainerRecord): Promise<OpenTree> {
		const { registry, filesystem, background } = this.#deps;
		const { id } = record;
		const holder = `copy-${newId()}`;
		return await registry.locked(id, async () => {
			await background.settled(id);
			registry.get(id);
			const path = await filesystem.holdRoot(id, holder);
			return { path, release: () => filesystem.releaseRoot(id, holder) };
		});
	}

	/** Gives the tree back when the stream is over, however it ends. */
	#releasing(tar: Readable, tree: OpenTree): Readable {
		const output = new PassThrough();
		tar.pipe(output);
		tar.on("error", (error) => output.destroy(error));
		output.on("close", () => {
			tar.destroy();
			void tree.release().catch((error: unknown) => {
				this.#deps.logger.error("a container's tree could not be unmounted", { error: errorMessage(error) });
			});
		});
		return output;
	}

	/** With `-a` files belong to the container's user, where it names one. */
	#owner(record: ContainerRecord, root: string): { uid: number; gid: number } | undefined {
		const user = record.config.User ?? "";
		if (user === "") return undefined;
		const { uid, gid } = resolveUser(user, this.#deps.files.readAccounts(root));
		return { uid, gid };
	}
}

/** What the archiver does not find is not found in the container; the rest of its errors stand as they are. */
async function located<T>(name: string, path: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (errorKind(error) !== "not-found") throw error;
		throw new NotFoundError(`Could not find the file ${path} in container ${name}`, { cause: error });
	}
}

/** @throws ForbiddenError */
function checkWritable(record: ContainerRecord, path: string): void {
	const clean = posix.normalize(`/${path}`);
	const mounts = record.mounts.filter(({ target }) => clean === target || clean.startsWith(`${target}/`));
	const deepest = mounts.sort((a, b) => b.target.length - a.target.length)[0];
	if (deepest?.readOnly === true) throw new ForbiddenError("mounted volume is marked read-only");
	if (deepest === undefined && record.hostConfig.ReadonlyRootfs === true)
		throw new ForbiddenError("container rootfs is marked read-only");
}
