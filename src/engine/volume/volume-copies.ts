import { PassThrough, type Readable } from "node:stream";
import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Volume } from "../../api/engine/volume.ts";
import type { Clock } from "../../base/clock.ts";
import { ConflictError, errorMessage, InvalidParameterError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/logger.ts";
import type { TreeArchiver, WriteTreeOptions } from "../../core/diff/archiver.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import { cloneOptions } from "../../core/volume/clone-options.ts";
import type { LocalVolumeDriver, VolumeTrees } from "../../core/volume/volume-driver.ts";
import { ANONYMOUS_LABEL, checkVolumeName } from "../../core/volume/volume-name.ts";
import type { VolumeRecord } from "../../core/volume/volume-record.ts";
import { ProgressQueue } from "../image/progress-queue.ts";
import type { StillVolumes } from "./still-volumes.ts";
import { publishVolumeEvent } from "./volume-events.ts";
import type { VolumeMaker } from "./volume-maker.ts";
import type { VolumeRegistry } from "./volume-registry.ts";

/** What copies need of volumes. */
export interface MountableVolumes {
	has(name: string): boolean;
	inspect(name: string): Promise<Volume>;
	mount(name: string, holder: string): Promise<string>;
	unmount(name: string, holder: string): Promise<void>;
}

export interface VolumeCopiesDependencies {
	readonly registry: VolumeRegistry;
	readonly volumes: MountableVolumes;
	readonly maker: VolumeMaker;
	readonly driver: LocalVolumeDriver;
	readonly trees: VolumeTrees;
	readonly archiver: TreeArchiver;
	readonly still: StillVolumes;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

const UNPACKING: WriteTreeOptions = { noOverwriteDirNonDir: false, copyUidGid: false, owner: undefined };

/** Volumes copied, and packed into archives and out of them. `pause` keeps the containers that use them still meanwhile. */
export class VolumeCopies {
	readonly #deps: VolumeCopiesDependencies;

	constructor(deps: VolumeCopiesDependencies) {
		this.#deps = deps;
	}

	/**
	 * A new volume with the same files, labels and size. Of a volume that mounts something, or is a plugin's, it is a plain `local`
	 * one: what is mounted would be the same thing twice.
	 * @throws InvalidParameterError, NotFoundError, ConflictError before the first message
	 */
	async *clone(
		name: string,
		{ newName, pause }: { readonly newName: string; readonly pause: boolean },
		signal: AbortSignal,
	): AsyncGenerator<ProgressMessage> {
		if (newName === "") throw new InvalidParameterError("the new volume needs a name");
		checkVolumeName(newName);
		const { registry, trees } = this.#deps;
		const source = await this.#find(name);
		registry.checkFree(newName);
		const queue = new ProgressQueue();
		yield* queue.run(async (signal) => {
			await using directory = await this.#open(source, pause);
			const total = await trees.size(directory.path);
			const onProgress = (bytes: number) => queue.bar(newName, "Copying", bytes, Math.max(total, bytes));
			await this.#make(cloneRecord(source, newName, this.#deps.clock.now()), async (target) => {
				await trees.copy({ root: directory.path, path: "/" }, target, { onProgress, signal });
			});
			queue.state(newName, "Copied");
		}, signal);
	}

	/** A tar of all files, with owners, modes, times, links, attributes and lists of access control. @throws NotFoundError */
	async export(name: string, { pause }: { readonly pause: boolean }): Promise<Readable> {
		const { archiver, events } = this.#deps;
		const source = await this.#find(name);
		const directory = await this.#open(source, pause);
		const output = new PassThrough();
		const tar = archiver.export(directory.path, { exact: true });
		tar.on("error", (error) => output.destroy(error));
		output.on("close", () => {
			tar.destroy();
			void this.#giveBack(name, directory);
		});
		tar.pipe(output);
		publishVolumeEvent(events, source, "export");
		return output;
	}

	/**
	 * Unpacks a tar, plain or compressed, into a volume, made if there is none: then it is there whole or not at all.
	 * @param options.merge into one that has files, too: what has the same name is replaced
	 * @throws InvalidParameterError for a broken archive, ConflictError for a volume with files
	 */
	async import(name: string, tar: Readable, { merge }: { readonly merge: boolean }): Promise<Volume> {
		const { volumes, events, registry, archiver, clock } = this.#deps;
		if (volumes.has(name) || (await this.#isElsewhere(name))) await this.#importInto(name, tar, merge);
		else {
			const record: VolumeRecord = {
				name,
				driver: "local",
				options: {},
				labels: {},
				createdAt: clock.now(),
				anonymous: false,
			};
			checkVolumeName(name);
			await this.#make(record, (directory) => archiver.write(directory, "/", tar, { ...UNPACKING, withRoot: true }));
		}
		publishVolumeEvent(events, registry.get(name), "import");
		return await volumes.inspect(name);
	}

	async #importInto(name: string, tar: Readable, merge: boolean): Promise<void> {
		const { trees, archiver } = this.#deps;
		await using directory = await this.#open(await this.#find(name), false);
		const isEmpty = trees.isEmpty(directory.path);
		if (!isEmpty && !merge)
			throw new ConflictError(`import ${name}: the volume has files (merge to write the archive's over them)`);
		await archiver.write(directory.path, "/", tar, { ...UNPACKING, withRoot: isEmpty });
	}

	/** Unseen until `fill` is done. */
	async #make(record: VolumeRecord, fill: (directory: string) => Promise<void>): Promise<void> {
		const { registry, maker, driver, events } = this.#deps;
		await registry.locked(record.name, () =>
			maker.make(record, async () => {
				await driver.create(record);
				await driver.fill(record, fill);
			}),
		);
		publishVolumeEvent(events, record, "create");
	}

	async #giveBack(name: string, directory: AsyncDisposable): Promise<void> {
		try {
			await directory[Symbol.asyncDispose]();
		} catch (error) {
			this.#deps.logger.error("a volume could not be given back", { volume: name, error: errorMessage(error) });
		}
	}

	async #find(name: string): Promise<VolumeRecord> {
		await this.#deps.volumes.inspect(name);
		return this.#deps.registry.get(name);
	}

	async #isElsewhere(name: string): Promise<boolean> {
		const { registry, maker } = this.#deps;
		return (await registry.locked(name, () => maker.find(name))) !== undefined;
	}

	/** Its files, mounted, and still if wanted, until it is disposed of. */
	async #open({ name }: VolumeRecord, pause: boolean): Promise<AsyncDisposable & { readonly path: string }> {
		const { volumes, still } = this.#deps;
		const holder = `copy-${newId()}`;
		await using stack = new AsyncDisposableStack();
		const path = await volumes.mount(name, holder);
		stack.defer(() => volumes.unmount(name, holder));
		if (pause) stack.use(await still.hold(name));
		const owned = stack.move();
		return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
	}
}

function cloneRecord(source: VolumeRecord, name: string, createdAt: number): VolumeRecord {
	const { [ANONYMOUS_LABEL]: _, ...labels } = source.labels;
	return { name, driver: "local", options: cloneOptions(source), labels, createdAt, anonymous: false };
}
