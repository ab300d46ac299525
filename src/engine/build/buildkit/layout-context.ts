import { Readable } from "node:stream";
import { type Digest, isDigest } from "../../../base/digest.ts";
import { InvalidParameterError, NotFoundError } from "../../../base/errors.ts";
import type { BuildDirectories, BuildFiles } from "../../../core/build/build-directories.ts";
import type { BuildContext, ContextSelection, SyncedContext } from "../../../core/build/context.ts";
import type { ClientContentStore } from "./content-store.ts";

export interface LayoutContextDependencies {
	readonly files: Pick<BuildFiles, "saveFile" | "makeDirectory">;
	readonly directories: Pick<BuildDirectories, "temporary" | "removeTemporary">;
}

const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/;
const BLOBS_DIRECTORY = "blobs/sha256";

/** An image, or an index, of a client's OCI layout, as the layout that has nothing else. */
export class LayoutContext implements BuildContext {
	constructor(
		private readonly store: ClientContentStore,
		private readonly digest: string,
		private readonly deps: LayoutContextDependencies,
	) {}

	get key(): string {
		return `oci-layout ${this.digest}`;
	}

	async readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		if (path === "index.json") return await this.#index(limitBytes);
		const digest = digestOf(path);
		return digest === undefined ? undefined : await this.#read(digest, limitBytes);
	}

	async sync(selection: ContextSelection, signal: AbortSignal): Promise<SyncedContext> {
		const { directories, files } = this.deps;
		const directory = directories.temporary();
		const remove = () => directories.removeTemporary(directory);
		try {
			files.makeDirectory(directory, BLOBS_DIRECTORY, undefined);
			for (const path of selection.include) {
				const digest = digestOf(path);
				if (digest === undefined) throw new InvalidParameterError(`${path} is no blob of an OCI layout`);
				const data = Readable.from(this.store.read(digest), { objectMode: false });
				await files.saveFile(directory, path, data, { permissions: 0o600, modifiedAt: 0, signal });
			}
		} catch (error) {
			await remove();
			throw error;
		}
		return { directory, isImmutable: true, [Symbol.asyncDispose]: remove };
	}

	/** With what the blob says of itself: clients name digests alone. */
	async #index(limitBytes: number): Promise<Uint8Array> {
		if (!isDigest(this.digest)) throw new InvalidParameterError(`invalid digest ${JSON.stringify(this.digest)}`);
		const bytes = await this.#read(this.digest, limitBytes);
		if (bytes === undefined) throw new NotFoundError(`the OCI layout has no ${this.digest}`);
		const { mediaType } = JSON.parse(Buffer.from(bytes).toString()) as { mediaType?: string };
		const descriptor = { mediaType: mediaType ?? "", digest: this.digest, size: bytes.length };
		return Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
	}

	async #read(digest: Digest, limitBytes: number): Promise<Uint8Array | undefined> {
		const sizeBytes = await this.store.sizeBytes(digest);
		if (sizeBytes === undefined) return undefined;
		const parts: Uint8Array[] = [];
		let total = 0;
		for await (const part of this.store.read(digest)) {
			total += part.length;
			if (total > limitBytes) throw new InvalidParameterError(`${digest} is larger than ${limitBytes} bytes`);
			parts.push(part);
		}
		return Buffer.concat(parts);
	}
}

function digestOf(path: string): Digest | undefined {
	const hex = BLOB.exec(path)?.[1];
	return hex === undefined ? undefined : (`sha256:${hex}` as Digest);
}
