import type { Filters } from "../../api/engine/filters.ts";
import { checkFilterKeys } from "../../api/engine/filters.ts";
import type { ImageDeleteResponse, ImagePruneResponse } from "../../api/engine/image.ts";
import type { Digest } from "../../base/digest.ts";
import { ConflictError, errorKind, InvalidParameterError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import { parsePastTime } from "../../core/event/timestamp-filter.ts";
import type { ContainerImageUse } from "../../core/image/container-image-use.ts";
import { createdAtMs, danglingFilter, matchLabels } from "../../core/image/image-filters.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { isIdPrefix } from "../../core/image/lookup.ts";
import {
	familiar,
	formatReference,
	parseReference,
	splitReference,
	withDefaultTag,
} from "../../core/image/reference.ts";
import type { ImageEvents } from "./image-events.ts";
import { type ImageIndex, referencesOf, repositoryOf } from "./image-index.ts";
import type { ImagePins } from "./image-pins.ts";
import type { LayerRegistry } from "./layer-registry.ts";

export interface RemoveOptions {
	readonly force: boolean;
	readonly noPrune: boolean;
}

export interface RemovalDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly containers: ContainerImageUse;
	readonly pins: ImagePins;
	readonly now: () => number;
}

interface Removal {
	readonly records: ImageDeleteResponse[];
	reclaimedBytes: number;
}

const PRUNE_FILTERS = ["dangling", "label", "label!", "until"];

/** `rmi` and `image prune` by Docker's rules; one at a time. */
export class ImageRemover {
	readonly #mutex = new KeyedMutex();

	constructor(readonly deps: RemovalDependencies) {}

	/** @throws NotFoundError, ConflictError in Docker's words */
	async remove(name: string, options: RemoveOptions): Promise<ImageDeleteResponse[]> {
		return this.#mutex.run("remove", async () => (await this.#remove(name, options)).records);
	}

	async prune(filters: Filters): Promise<ImagePruneResponse> {
		checkFilterKeys(filters, PRUNE_FILTERS);
		const danglingOnly = danglingFilter(filters) ?? true;
		return this.#mutex.run("remove", async () => {
			const deleted: ImageDeleteResponse[] = [];
			let reclaimedBytes = 0;
			for (const image of this.#candidates(filters, danglingOnly)) {
				const names = referencesOf(image).map(familiar);
				for (const name of names.length === 0 ? [image.id] : names) {
					const removal = await this.#tryRemove(name);
					deleted.push(...(removal?.records ?? []));
					reclaimedBytes += removal?.reclaimedBytes ?? 0;
				}
			}
			this.deps.events.pruned(reclaimedBytes);
			return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimedBytes };
		});
	}

	/**
	 * An image with all its names, unless something needs it. What it was made from stays.
	 * @param isUnneeded asked again at the last moment
	 * @returns bytes freed; undefined when it stays
	 */
	async collect(id: Digest, isUnneeded: (image: ImageRecord) => boolean): Promise<number | undefined> {
		return this.#mutex.run("remove", async () => {
			const image = this.deps.index.byId(id);
			if (image === undefined || !isUnneeded(image) || this.deps.index.children(id).length > 0) return undefined;
			const removal: Removal = { records: [], reclaimedBytes: 0 };
			for (const reference of referencesOf(image)) this.#untag(id, reference, removal);
			await this.#delete(id, { force: false, noPrune: true }, removal);
			return removal.reclaimedBytes;
		});
	}

	/** In use is no failure of a prune. */
	async #tryRemove(name: string): Promise<Removal | undefined> {
		try {
			return await this.#remove(name, { force: false, noPrune: false });
		} catch (error) {
			const kind = errorKind(error);
			if (kind === "conflict" || kind === "not-found") return undefined;
			throw error;
		}
	}

	#candidates(filters: Filters, danglingOnly: boolean): ImageRecord[] {
		const [until] = filters.get("until") ?? [];
		if ((filters.get("until")?.length ?? 0) > 1)
			throw new InvalidParameterError("more than one until filter specified");
		const limit = until === undefined ? undefined : parsePastTime(until, this.deps.now());
		const unwanted = filters.get("label!") ?? [];
		return this.deps.index.all().filter((image) => {
			if (danglingOnly && image.tags.length > 0) return false;
			if (this.deps.pins.of(image) !== undefined) return false;
			// A pull, load or build has just made it and is about to name it, or something reads it.
			if (image.chainId !== undefined && this.deps.layers.isLeased(image.chainId)) return false;
			if (referencesOf(image).length === 0 && this.deps.index.children(image.id).length > 0) return false;
			if (limit !== undefined && createdAtMs(image) > limit) return false;
			if (!matchLabels(image, filters.get("label") ?? [])) return false;
			return unwanted.length === 0 || !matchLabels(image, unwanted);
		});
	}

	async #remove(name: string, options: RemoveOptions): Promise<Removal> {
		const image = this.deps.index.resolve(name);
		const removal: Removal = { records: [], reclaimedBytes: 0 };
		if (isIdPrefix(image, name)) this.#removeById(image, options, removal);
		else if (this.#removeReference(image, name, options, removal) || this.#isNeeded(image, options)) return removal;
		await this.#delete(image.id, options, removal);
		return removal;
	}

	/** @returns whether that was all, because the image has other names */
	#removeReference(image: ImageRecord, name: string, { force }: RemoveOptions, removal: Removal): boolean {
		const user = force || !isSingleReference(image) ? undefined : this.#users(image.id)[0];
		if (user !== undefined)
			throw new ConflictError(
				`conflict: unable to remove repository reference "${name}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
			);
		const named = withDefaultTag(parseReference(name));
		const reference = named.digest === undefined ? formatReference(named) : `${named.name}@${named.digest}`;
		this.#untag(image.id, reference, removal);
		const left = () => this.deps.index.byId(image.id);
		if (named.digest === undefined && !left()?.tags.some((tag) => repositoryOf(tag) === named.name))
			for (const digest of left()?.repoDigests ?? [])
				if (repositoryOf(digest) === named.name) this.#untag(image.id, digest, removal);
		const rest = left();
		return rest === undefined || referencesOf(rest).length > 0;
	}

	/** An image that lost its last name stays quietly when others are built on it or containers use it. */
	#isNeeded({ id }: ImageRecord, { force }: RemoveOptions): boolean {
		if (this.deps.index.children(id).length > 0) return true;
		return this.#users(id).some((user) => user.isRunning || !force);
	}

	/** By ID, the image's only name goes with it. */
	#removeById(image: ImageRecord, { force }: RemoveOptions, removal: Removal): void {
		if (!isSingleReference(image)) return;
		this.#checkConflict(image, { soft: !force, references: false });
		for (const reference of referencesOf(image)) this.#untag(image.id, reference, removal);
	}

	async #delete(id: Digest, options: RemoveOptions, removal: Removal): Promise<void> {
		const image = this.deps.index.byId(id);
		if (image === undefined) return;
		this.#checkConflict(image, { soft: !options.force, references: !options.force });
		for (const reference of referencesOf(image)) this.#untag(id, reference, removal);
		await this.deps.index.delete(id);
		this.deps.events.publish("delete", id, id, image);
		removal.records.push({ Deleted: id });
		const roots = () => this.deps.index.all().map(({ chainId }) => chainId);
		for (const layer of await this.deps.layers.collect(roots)) {
			removal.records.push({ Deleted: layer.chainId });
			removal.reclaimedBytes += layer.sizeBytes;
		}
		if (!options.noPrune && image.parent !== undefined) await this.#pruneParent(image.parent, removal);
	}

	/** A nameless parent that nobody else needs goes, too. */
	async #pruneParent(id: Digest, removal: Removal): Promise<void> {
		const parent = this.deps.index.byId(id);
		if (parent === undefined || referencesOf(parent).length > 0) return;
		if (this.deps.index.children(id).length > 0 || this.#users(id).length > 0) return;
		await this.#delete(id, { force: false, noPrune: false }, removal);
	}

	#untag(id: Digest, reference: string, removal: Removal): void {
		const image = this.deps.index.byId(id);
		this.deps.index.untag(reference);
		this.deps.events.publish("untag", id, id, image);
		removal.records.push({ Untagged: familiar(reference) });
	}

	#checkConflict(image: ImageRecord, check: { readonly soft: boolean; readonly references: boolean }): void {
		const conflict = (why: string, force: string) =>
			new ConflictError(`conflict: unable to delete ${shortId(image.id)} (${force}) - ${why}`);
		if (this.deps.index.children(image.id).length > 0)
			throw conflict("image has dependent child images", "cannot be forced");
		const users = this.#users(image.id);
		const running = users.find((user) => user.isRunning);
		if (running !== undefined)
			throw conflict(`image is being used by running container ${shortId(running.id)}`, "cannot be forced");
		if (check.references && referencesOf(image).length > 0)
			throw conflict("image is referenced in multiple repositories", "must be forced");
		const [stopped] = users;
		if (check.soft && stopped !== undefined)
			throw conflict(`image is being used by stopped container ${shortId(stopped.id)}`, "must be forced");
	}

	#users(id: Digest) {
		return this.deps.containers.users().filter(({ imageId }) => imageId === id);
	}
}

/** At most one name: one tag, with digests of the same repository at most. */
function isSingleReference(image: ImageRecord): boolean {
	if (referencesOf(image).length <= 1) return true;
	if (image.tags.length > 1) return false;
	const repositories = new Set(referencesOf(image).map((reference) => splitReference(reference).name));
	return repositories.size === 1;
}
