import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Platform } from "../../api/oci/image.ts";
import { MEDIA_TYPE } from "../../api/oci/image.ts";
import { errnoCode } from "../../base/errors.ts";
import { familiar, formatReference, parseReference, withDefaultTag } from "../../core/image/reference.ts";

/** A list of manifests being put together on this machine, before it is pushed. */
export interface ManifestList {
	/** Normalised reference. */
	name: string;
	entries: ManifestEntry[];
}

export interface ManifestEntry {
	/** Normalised, as it was given. */
	reference: string;
	descriptor: { mediaType: string; digest: string; size: number };
	platform: Platform;
}

/** @throws InvalidParameterError */
export function normalised(reference: string): string {
	return formatReference(withDefaultTag(parseReference(reference)));
}

/** Kept below the configuration's folder, a file for each. */
export class ManifestLists {
	constructor(readonly configFolder: string) {}

	async find(name: string): Promise<ManifestList | undefined> {
		try {
			return JSON.parse(await readFile(this.#path(name), "utf8")) as ManifestList;
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return undefined;
			throw error;
		}
	}

	/** @throws Error when there is none */
	async get(name: string): Promise<ManifestList> {
		const list = await this.find(name);
		if (list === undefined) throw new Error(`No such manifest: ${familiar(name)}`);
		return list;
	}

	async save(list: ManifestList): Promise<void> {
		await mkdir(this.#folder, { recursive: true, mode: 0o700 });
		const path = this.#path(list.name);
		await writeFile(`${path}.${process.pid}`, JSON.stringify(list));
		await rename(`${path}.${process.pid}`, path);
	}

	/** @returns whether it was there */
	async remove(name: string): Promise<boolean> {
		const isThere = (await this.find(name)) !== undefined;
		await rm(this.#path(name), { force: true });
		if (isThere && (await readdir(this.#folder)).length === 0) await rm(this.#folder, { recursive: true, force: true });
		return isThere;
	}

	get #folder(): string {
		return `${this.configFolder}/gantry-manifests`;
	}

	#path(name: string): string {
		return `${this.#folder}/${encodeURIComponent(name)}.json`;
	}
}

/** The list as registries want it: Docker's form, unless one of its manifests is OCI's. The same list has docker's own bytes. */
export function indexOf(list: ManifestList): { readonly mediaType: string; readonly text: string } {
	const isOci = list.entries.some(({ descriptor }) => descriptor.mediaType === MEDIA_TYPE.ociManifest);
	const mediaType = isOci ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.dockerManifestList;
	const manifests = list.entries.map(({ descriptor: { mediaType, size, digest }, platform }) => {
		return { mediaType, size, digest, platform: inOrder(platform) };
	});
	return { mediaType, text: JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, 3) };
}

/** The fields in docker's order: their bytes have a digest. */
export function inOrder({ architecture, os, "os.version": version, "os.features": features, variant }: Platform) {
	return { architecture, os, "os.version": version, "os.features": features, variant };
}
