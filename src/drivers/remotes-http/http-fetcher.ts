import { Readable } from "node:stream";
import { type Digest, isDigest, sha256 } from "../../base/digest.ts";
import { CancelledError, errorKind, errorMessage, InvalidParameterError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { ACCEPTED_MANIFESTS, MANIFEST_LIMIT_BYTES, mediaTypeOf } from "../../core/remotes/manifest.ts";
import type { Fetcher, RemoteBlob, RemoteManifest } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import { BlobTransfer } from "./blob-transfer.ts";
import type { EndpointConnection } from "./endpoint-connection.ts";
import type { HttpAnswer } from "./http-client.ts";
import { type RetryOptions, retrying } from "./retrying.ts";

const STREAM_BUFFER_BYTES = 1 << 20;
const TAG_PAGE_LIMIT = 1000;
const TAG_LIMIT = 100_000;
const TAG_PAGE_BYTES = 8 << 20;

/** Reads a repository: mirrors first, in order, the registry itself last. */
export class HttpFetcher implements Fetcher {
	/** The last one of each blob. */
	readonly #transfers = new Map<Digest, BlobTransfer>();
	/** Who gave wrong bytes of which blob. */
	readonly #distrusted = new Map<Digest, Set<string>>();

	constructor(
		readonly path: string,
		readonly connections: readonly EndpointConnection[],
		readonly retry: RetryOptions,
		readonly logger: Logger,
	) {}

	async manifest(reference: string, signal: AbortSignal): Promise<RemoteManifest> {
		return this.#firstOf(
			(connection) => (isDigest(reference) ? connection.endpoint.canPull : connection.endpoint.canResolve),
			(connection) => retrying(() => this.#manifestFrom(connection, reference, signal), this.retry, signal),
		);
	}

	async blob(blob: RemoteBlob, signal: AbortSignal): Promise<Readable> {
		const connections = this.connections.filter(({ endpoint }) => endpoint.canPull);
		const distrusted = this.#distrusted.get(blob.digest) ?? new Set();
		const transfer = new BlobTransfer({ path: this.path, connections, retry: this.retry, distrusted }, blob, signal);
		this.#transfers.set(blob.digest, transfer);
		// The first answer comes before the stream, so that a missing blob is told at once.
		await transfer.begin();
		return Readable.from(transfer.bytes(), { objectMode: false, highWaterMark: STREAM_BUFFER_BYTES });
	}

	distrust(digest: Digest, why: string): boolean {
		const transfer = this.#transfers.get(digest);
		if (transfer === undefined || !transfer.hasOthers) return false;
		const distrusted = this.#distrusted.get(digest) ?? new Set();
		this.#distrusted.set(digest, distrusted);
		for (const host of transfer.suspects) {
			distrusted.add(host);
			this.logger.warn("a host gave wrong bytes; the next one is asked", {
				host: host.replace(/\/v2$/, ""),
				repository: this.path,
				digest,
				error: why,
			});
		}
		return true;
	}

	async tags(signal: AbortSignal): Promise<string[]> {
		return this.#firstOf(
			({ endpoint }) => endpoint.canResolve,
			(connection) => this.#tagsFrom(connection, signal),
		);
	}

	/** Whatever is wrong with a mirror, the next one may have it. */
	async #firstOf<T>(
		isUsable: (connection: EndpointConnection) => boolean,
		work: (connection: EndpointConnection) => Promise<T>,
	): Promise<T> {
		const usable = this.connections.filter(isUsable);
		for (const connection of usable.slice(0, -1)) {
			try {
				return await work(connection);
			} catch (error) {
				if (error instanceof CancelledError) throw error;
				this.#passOver(connection, error);
			}
		}
		const last = usable.at(-1);
		if (last === undefined)
			throw new RemoteError(`no host of ${this.path} may be asked`, { status: 0, isTransient: false });
		return await work(last);
	}

	/** That a mirror lacks something is nothing special. */
	#passOver({ endpoint: { origin: host } }: EndpointConnection, error: unknown): void {
		const fields = { host, repository: this.path, error: errorMessage(error) };
		if (errorKind(error) === "not-found") this.logger.debug("a host lacks it; the next one is asked", fields);
		else this.logger.warn("a host failed; the next one is asked", fields);
	}

	async #manifestFrom(connection: EndpointConnection, reference: string, signal: AbortSignal): Promise<RemoteManifest> {
		const headers = { Accept: ACCEPTED_MANIFESTS };
		const target = `/${this.path}/manifests/${reference}`;
		const answer = await connection.request({ method: "GET", target, headers, accepts: [200] }, signal);
		const bytes = await answer.take(MANIFEST_LIMIT_BYTES);
		if (bytes.length > MANIFEST_LIMIT_BYTES)
			throw new InvalidParameterError(`manifest ${reference} is larger than ${MANIFEST_LIMIT_BYTES} bytes`);
		const digest = sha256(bytes);
		const wanted = isDigest(reference) ? reference : answer.header("docker-content-digest");
		if (wanted?.startsWith("sha256:") === true && wanted !== digest)
			throw new InvalidParameterError(`manifest verification failed for digest ${wanted}`);
		if (isDigest(reference) && !reference.startsWith("sha256:"))
			throw new InvalidParameterError(`unsupported digest algorithm: ${reference}`);
		const said = (answer.header("content-type") ?? "").split(";")[0]?.trim() ?? "";
		return { bytes, digest, mediaType: mediaTypeOf(bytes, said) };
	}

	async #tagsFrom(connection: EndpointConnection, signal: AbortSignal): Promise<string[]> {
		const tags: string[] = [];
		let target: string | URL | undefined = `/${this.path}/tags/list?n=${TAG_PAGE_LIMIT}`;
		while (target !== undefined && tags.length < TAG_LIMIT) {
			const page: string | URL = target;
			const answer: HttpAnswer = await retrying(
				() => connection.request({ method: "GET", target: page, accepts: [200] }, signal),
				this.retry,
				signal,
			);
			const found = parseTags(await answer.text(TAG_PAGE_BYTES));
			tags.push(...found);
			target = found.length === 0 ? undefined : nextPage(answer.header("link"), connection.url(page));
		}
		return tags;
	}
}

function parseTags(body: string): string[] {
	try {
		const { tags } = JSON.parse(body) as { tags?: unknown };
		return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
	} catch (cause) {
		throw new RemoteError("the registry's list of tags is not JSON", { status: 200, isTransient: false }, { cause });
	}
}

/** `Link: <…>; rel="next"` (RFC 8288); only on the same host. */
function nextPage(link: string | null, current: URL): URL | undefined {
	const target = /<([^>]*)>\s*;[^,]*rel="?next"?/i.exec(link ?? "")?.[1];
	if (target === undefined || !URL.canParse(target, current.href)) return undefined;
	const url = new URL(target, current);
	return url.origin === current.origin && url.href !== current.href ? url : undefined;
}
