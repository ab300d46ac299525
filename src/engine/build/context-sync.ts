import { digestHex, sha256 } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { ContextSelection } from "../../core/build/context.ts";
import type { ContextCopy } from "../../core/build/context-copy.ts";
import { decodeListing, MAX_LISTING_BYTES } from "../../core/build/context-listing.ts";
import { planContext } from "../../core/build/context-plan.ts";
import type { ClientContext } from "../../core/build/session/build-call.ts";
import type { DaemonCall, FileAnswer, ListAnswer } from "../../core/build/session/calls.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import type { ContextSource } from "./kept-context.ts";

/** A directory of our own client's, over its session. */
export class SessionDirectory implements ContextSource {
	constructor(
		private readonly context: Extract<ClientContext, { kind: "directory" }>,
		private readonly ask: (call: DaemonCall) => Promise<SessionStream>,
	) {}

	get key(): string {
		return this.context.key;
	}

	get description(): string {
		return this.context.description;
	}

	async readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
		const known = Object.hasOwn(this.context.files, path) ? this.context.files[path] : undefined;
		if (known === null) return undefined;
		if (known !== undefined) return Buffer.from(known);
		const stream = await this.ask({ method: "context.file", context: this.context.name, path, limitBytes });
		await stream.end();
		const { exists } = (await stream.readJson()) as FileAnswer;
		if (!exists) return undefined;
		const bytes = await collect(stream, limitBytes);
		if (bytes === undefined) throw new InvalidParameterError(`${path} is larger than ${limitBytes} bytes`);
		return bytes;
	}

	async update(
		copy: ContextCopy,
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress: ((transferredBytes: number) => void) | undefined,
	): Promise<void> {
		const stream = await this.ask({
			method: "context.list",
			context: this.context.name,
			include: selection.include,
			exclude: selection.exclude,
			knownDigest: copy.listingDigest ?? "",
		});
		const onAbort = () => stream.reset(signal.reason);
		signal.addEventListener("abort", onAbort, { once: true });
		try {
			if (signal.aborted) onAbort();
			await update(copy, stream, onProgress);
		} catch (error) {
			stream.reset(error);
			throw error;
		} finally {
			signal.removeEventListener("abort", onAbort);
		}
	}
}

/** Brings a copy up to date over the stream of a `context.list`. */
async function update(
	copy: ContextCopy,
	stream: SessionStream,
	onProgress: ((transferredBytes: number) => void) | undefined,
): Promise<void> {
	const { digest, listingBytes } = (await stream.readJson()) as ListAnswer;
	if (listingBytes === 0 && digest === copy.listingDigest) {
		await stream.end();
		return;
	}
	const listing = await readListing(stream, listingBytes);
	if (digestHex(sha256(listing)) !== digest) throw new InvalidParameterError("malformed listing of a build context");
	const listed = decodeListing(listing);
	const plan = planContext(copy.entries(), listed);
	const wanted = new Uint32Array(plan.wanted);
	await stream.write(new Uint8Array(wanted.buffer));
	await stream.end();
	await copy.change({
		listed,
		plan,
		listingDigest: digest,
		contents: stream.data(),
		...(onProgress === undefined ? {} : { onProgress }),
	});
}

/** The listing's bytes: as many as were announced, for the contents follow on the same stream. */
async function readListing(stream: SessionStream, lengthBytes: number): Promise<Uint8Array> {
	if (!(lengthBytes >= 0 && lengthBytes <= MAX_LISTING_BYTES))
		throw new InvalidParameterError("the build context has too many files");
	const parts: Uint8Array[] = [];
	for (let have = 0; have < lengthBytes; ) {
		const message = await stream.read();
		if (message?.kind !== "data" || have + message.data.length > lengthBytes)
			throw new InvalidParameterError("malformed listing of a build context");
		parts.push(message.data);
		have += message.data.length;
	}
	return Buffer.concat(parts);
}

/** The rest of a stream; undefined when it is longer than allowed. */
export async function collect(stream: SessionStream, limitBytes: number): Promise<Uint8Array | undefined> {
	const parts: Uint8Array[] = [];
	let total = 0;
	for await (const part of stream.data()) {
		total += part.length;
		if (total > limitBytes) {
			stream.reset();
			return undefined;
		}
		parts.push(part);
	}
	return Buffer.concat(parts);
}
