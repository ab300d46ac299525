import type { MessageOf } from "../../../api/buildkit/message.ts";
import { PACKET, PACKET_TYPES, SESSION_METHODS } from "../../../api/buildkit/session.ts";
import { CancelledError, InvalidParameterError } from "../../../base/errors.ts";
import { FileContents, type WantedFile } from "../../../core/build/buildkit/file-contents.ts";
import { FileListing } from "../../../core/build/buildkit/file-listing.ts";
import type { SessionCall, SessionCaller } from "../../../core/build/buildkit/session-caller.ts";
import { sessionHeaders } from "../../../core/build/buildkit/session-headers.ts";
import type { ContextSelection } from "../../../core/build/context.ts";
import type { ContextCopy } from "../../../core/build/context-copy.ts";
import type { ContextEntry } from "../../../core/build/context-listing.ts";
import { planContext } from "../../../core/build/context-plan.ts";
import { parseIgnoreFile } from "../../../core/dockerfile/ignore-patterns.ts";
import type { ContextSource } from "../kept-context.ts";

const IGNORE_FILE = ".dockerignore";
const IGNORE_LIMIT_BYTES = 1 << 20;
/** Links behind links that a listing is asked for again for. */
const MAX_ROUNDS = 8;

/** A directory that a BuildKit client offers: it lists what is selected, and sends the files that are asked for. */
export class ClientFiles implements ContextSource {
	readonly key: string;
	readonly description: string;

	constructor(
		private readonly session: SessionCaller,
		/** Among the directories of the session. */
		private readonly name: string,
		/** Whether a `.dockerignore` of the directory's own holds, beside what is selected. */
		private readonly options: { readonly isIgnoring: boolean } = { isIgnoring: false },
	) {
		this.key = `buildkit ${session.sharedKey} ${name}`;
		this.description = `local source for ${name}`;
	}

	async readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		return (await this.readFiles([path], limitBytes)).get(path);
	}

	/** Those of the files that are there, symlinks followed inside of the directory. @throws InvalidParameterError for one that is too large */
	async readFiles(paths: readonly string[], limitBytes: number): Promise<ReadonlyMap<string, Uint8Array>> {
		using transfer = this.#open({ include: paths, exclude: [] });
		const listing = await transfer.list();
		const found = new Map<string, Uint8Array>();
		// A file is sent once, whatever leads to it.
		const sent = new Map<ContextEntry, Uint8Array>();
		for (const path of paths) {
			const entry = listing.resolve(path);
			if (entry?.kind !== "file") continue;
			const known = sent.get(entry);
			if (known !== undefined) {
				found.set(path, known);
				continue;
			}
			const position = listing.entries.indexOf(entry);
			const parts: Uint8Array[] = [];
			let total = 0;
			for await (const part of transfer.read(listing.ids[position] ?? 0)) {
				total += part.length;
				if (total > limitBytes) throw new InvalidParameterError(`${path} is larger than ${limitBytes} bytes`);
				parts.push(Uint8Array.from(part));
			}
			const bytes = Buffer.concat(parts);
			sent.set(entry, bytes);
			found.set(path, bytes);
		}
		await transfer.end();
		return found;
	}

	async update(
		copy: ContextCopy,
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress: ((transferredBytes: number) => void) | undefined,
	): Promise<void> {
		await using stack = new AsyncDisposableStack();
		const cancel = () => void stack.disposeAsync();
		signal.addEventListener("abort", cancel, { once: true });
		try {
			signal.throwIfAborted();
			const whole = this.options.isIgnoring ? await this.#withIgnored(selection) : selection;
			const { transfer, listing } = await this.#list(whole, stack, signal);
			onProgress?.(transfer.receivedBytes);
			const listingDigest = listing.digest();
			if (listingDigest !== copy.listingDigest) {
				const plan = planContext(copy.entries(), listing.entries);
				const wanted = plan.wanted.map((position) => wantedFile(listing, position));
				const contents = transfer.contents(new FileContents(wanted));
				const tell = () => onProgress?.(transfer.receivedBytes);
				await copy.change({ listed: listing.entries, plan, listingDigest, contents, onProgress: tell });
			}
			await transfer.end();
		} finally {
			signal.removeEventListener("abort", cancel);
		}
	}

	/** A transfer whose listing has all that the selection leads to. @param stack ends it */
	async #list(
		{ include, exclude }: ContextSelection,
		stack: AsyncDisposableStack,
		signal: AbortSignal,
	): Promise<{ transfer: FileTransfer; listing: FileListing }> {
		let paths = include;
		for (let round = 0; ; round++) {
			signal.throwIfAborted();
			const transfer = stack.use(this.#open({ include: paths, exclude }));
			const listing = await transfer.list();
			const more = isWhole(paths) ? [] : listing.behindLinks(paths);
			if (more.length === 0 || round === MAX_ROUNDS) return { transfer, listing };
			transfer[Symbol.dispose]();
			paths = [...paths, ...more];
		}
	}

	async #withIgnored({ include, exclude }: ContextSelection): Promise<ContextSelection> {
		const bytes = await this.readFile(IGNORE_FILE, IGNORE_LIMIT_BYTES);
		return { include, exclude: bytes === undefined ? exclude : [...parseIgnoreFile(bytes), ...exclude] };
	}

	#open({ include, exclude }: ContextSelection): FileTransfer {
		// What follows paths is given the paths alone, and takes what symlinks in them lead to.
		const headers = sessionHeaders({
			"dir-name": [this.name],
			followpaths: isWhole(include) ? [] : include,
			"exclude-patterns": exclude,
		});
		return new FileTransfer(this.session.call(SESSION_METHODS.fileSync, headers));
	}
}

function isWhole(include: readonly string[]): boolean {
	return include.length === 0 || include.includes(".");
}

function wantedFile({ entries, ids }: FileListing, position: number): WantedFile {
	const entry = entries[position];
	if (entry === undefined) throw new RangeError("a plan wants files of the listing it was made of");
	return { position, entry, id: ids[position] ?? 0 };
}

type Packet = MessageOf<typeof PACKET>;

/** One transfer: the listing, then contents of files, then the end. */
class FileTransfer implements Disposable {
	readonly #packets: AsyncIterator<Packet>;
	/** Of listings and contents, as BuildKit counts what is transferred. */
	receivedBytes = 0;

	constructor(private readonly call: SessionCall) {
		this.#packets = this.#receive();
	}

	/** @throws InvalidParameterError for what is no listing, and what the client says has gone wrong */
	async list(): Promise<FileListing> {
		const listing = new FileListing();
		for (;;) {
			const { type, stat } = await this.#next();
			if (type !== PACKET_TYPES.stat) throw unexpected();
			if (stat === undefined) return listing;
			listing.add(stat);
		}
	}

	/** One file's bytes. */
	async *read(id: number): AsyncGenerator<Uint8Array> {
		await this.#send({ type: PACKET_TYPES.request, id });
		for (;;) {
			const packet = await this.#next();
			if (packet.type !== PACKET_TYPES.data || packet.id !== id) throw unexpected();
			if (packet.data.length === 0) return;
			yield packet.data;
		}
	}

	/** Records of all files that are wanted. */
	async *contents(files: FileContents): AsyncGenerator<Uint8Array> {
		for (;;) {
			for (const id of files.ask()) await this.#send({ type: PACKET_TYPES.request, id });
			if (files.isComplete) return;
			const { type, id, data } = await this.#next();
			if (type !== PACKET_TYPES.data) throw unexpected();
			yield* files.take(id, data);
		}
	}

	/** Lets the client know that nothing more is wanted, and waits until it has ended the call without an error. */
	async end(): Promise<void> {
		await this.#send({ type: PACKET_TYPES.end });
		this.call.end();
		for (let next = await this.#packets.next(); next.done !== true; next = await this.#packets.next());
	}

	[Symbol.dispose](): void {
		this.call.cancel();
	}

	async *#receive(): AsyncGenerator<Packet> {
		for await (const message of this.call.messages) {
			this.receivedBytes += message.length;
			yield PACKET.decode(message);
		}
	}

	async #send(packet: Partial<Packet>): Promise<void> {
		await this.call.send(PACKET.encode(packet));
	}

	async #next(): Promise<Packet> {
		const { done, value } = await this.#packets.next();
		if (done === true) throw new CancelledError("the client ended the transfer of its files");
		if (value.type === PACKET_TYPES.error)
			throw new InvalidParameterError(`error from sender: ${Buffer.from(value.data).toString()}`);
		return value;
	}
}

function unexpected(): InvalidParameterError {
	return new InvalidParameterError("unexpected packet in the transfer of the client's files");
}
