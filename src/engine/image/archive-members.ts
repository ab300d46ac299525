import { type Readable, Readable as ReadableStream } from "node:stream";
import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ContentStore, Spool } from "../../core/content/content-store.ts";
import { cleanMemberName, joinPath, parentOf } from "../../core/diff/archive-path.ts";
import type { LayerApplier } from "../../core/diff/archiver.ts";
import type { TarEntry } from "../../core/diff/tar-entry.ts";
import { TarReader, type TarSink } from "../../core/diff/tar-reader.ts";

export interface ArchiveMember {
	readonly digest: Digest;
	readonly sizeBytes: number;
	stream(): Readable;
	read(limitBytes: number): Promise<Uint8Array>;
}

/** More files than any image has; an archive with more only wants to fill the disk with them. */
const MEMBER_LIMIT = 100_000;
const LINK_LIMIT = 16;

/**
 * The files of an image archive, put aside on disk, because their order is free: what says how they belong together may come last.
 */
export class ArchiveMembers implements AsyncDisposable {
	readonly #files = new Map<string, ArchiveMember>();
	readonly #byDigest = new Map<Digest, ArchiveMember>();
	readonly #links = new Map<string, string>();
	readonly #spools: Spool[] = [];

	/** @throws InvalidParameterError for a broken archive; nothing stays behind */
	static async read(archive: Readable, applier: LayerApplier, content: ContentStore): Promise<ArchiveMembers> {
		const members = new ArchiveMembers();
		try {
			await members.#readAll(archive, applier, content);
			return members;
		} catch (error) {
			await members[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** By name; links are followed. */
	get(name: string): ArchiveMember | undefined {
		let path = cleanMemberName(name);
		for (let links = 0; links < LINK_LIMIT; links++) {
			const file = this.#files.get(path);
			if (file !== undefined) return file;
			const target = this.#links.get(path);
			if (target === undefined) return undefined;
			path = target;
		}
		return undefined;
	}

	byDigest(digest: Digest): ArchiveMember | undefined {
		return this.#byDigest.get(digest);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const spool of this.#spools.splice(0)) await spool.dispose();
	}

	async #readAll(archive: Readable, applier: LayerApplier, content: ContentStore): Promise<void> {
		const queue = new EventQueue();
		const reader = new TarReader(queue);
		let current: { readonly name: string; readonly spool: Spool } | undefined;
		const drain = async () => {
			for (const event of queue.take()) {
				if (event.kind === "link") this.#links.set(event.name, event.target);
				else if (event.kind === "file") {
					if (this.#spools.length >= MEMBER_LIMIT) throw new InvalidParameterError("archive has too many files");
					const spool = await content.spool();
					this.#spools.push(spool);
					current = { name: event.name, spool };
				} else if (event.kind === "data") await current?.spool.write(event.chunk);
				else if (current !== undefined) {
					await this.#finish(current.name, current.spool);
					current = undefined;
				}
			}
		};
		for await (const chunk of applier.decompress(archive)) {
			reader.push(chunk);
			await drain();
		}
		reader.finish();
		await drain();
	}

	async #finish(name: string, spool: Spool): Promise<void> {
		const { digest, sizeBytes } = await spool.finish();
		const member: ArchiveMember = {
			digest,
			sizeBytes,
			stream: () => (sizeBytes === 0 ? ReadableStream.from([]) : spool.stream()),
			read: (limitBytes) => spool.read(limitBytes),
		};
		const expected = /(?:^|\/)blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
		if (expected !== undefined && digest !== `sha256:${expected}`)
			throw new InvalidParameterError(`blob ${name} is damaged: its digest is ${digest}`);
		this.#files.set(name, member);
		this.#byDigest.set(digest, member);
	}
}

type MemberEvent =
	| { readonly kind: "file"; readonly name: string }
	| { readonly kind: "link"; readonly name: string; readonly target: string }
	| { readonly kind: "data"; readonly chunk: Uint8Array }
	| { readonly kind: "end" };

/** The parser calls synchronously, spools write asynchronously. The chunks stay valid: each input buffer is used once. */
class EventQueue implements TarSink {
	#events: MemberEvent[] = [];
	#isFile = false;

	entry(entry: TarEntry): void {
		const name = cleanMemberName(entry.name);
		this.#isFile = entry.type === "file" && entry.sparse === undefined;
		if (this.#isFile) this.#events.push({ kind: "file", name });
		else if (entry.type === "hard-link")
			this.#events.push({ kind: "link", name, target: cleanMemberName(entry.linkName) });
		else if (entry.type === "symlink")
			this.#events.push({ kind: "link", name, target: cleanMemberName(joinPath(parentOf(name), entry.linkName)) });
	}

	data(chunk: Uint8Array): void {
		if (this.#isFile) this.#events.push({ kind: "data", chunk });
	}

	end(): void {
		if (this.#isFile) this.#events.push({ kind: "end" });
	}

	take(): MemberEvent[] {
		const events = this.#events;
		this.#events = [];
		return events;
	}
}
