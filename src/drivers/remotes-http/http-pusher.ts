import type { Digest } from "../../base/digest.ts";
import { CancelledError } from "../../base/errors.ts";
import { ACCEPTED_MANIFESTS } from "../../core/remotes/manifest.ts";
import type { BlobUpload, Pusher, RemoteManifest } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import type { EndpointConnection } from "./endpoint-connection.ts";
import type { HttpAnswer } from "./http-client.ts";
import { type RetryOptions, retrying } from "./retrying.ts";

/** For an upload to be cancelled after a failure. */
const ABANDON_MS = 5000;

/** Writes a repository of the registry itself. */
export class HttpPusher implements Pusher {
	/** With rights on another repository, too. */
	readonly #wider = new Map<string, EndpointConnection>();

	constructor(
		readonly path: string,
		readonly connection: EndpointConnection,
		readonly retry: RetryOptions,
		/** Another connection to the same place, for these rights. */
		readonly connect: (scopes: readonly string[]) => EndpointConnection,
	) {}

	hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
		return this.#exists(`/${this.path}/blobs/${digest}`, {}, signal);
	}

	hasManifest(digest: Digest, signal: AbortSignal): Promise<boolean> {
		return this.#exists(`/${this.path}/manifests/${digest}`, { Accept: ACCEPTED_MANIFESTS }, signal);
	}

	async mountBlob(digest: Digest, fromRepository: string, signal: AbortSignal): Promise<boolean> {
		const query = new URLSearchParams({ mount: digest, from: fromRepository });
		const target = `/${this.path}/blobs/uploads/?${query}`;
		const connection = this.#connectionWith(fromRepository);
		try {
			const answer = await connection.request({ method: "POST", target, accepts: [201, 202] }, signal);
			await answer.discard();
			if (answer.status === 202) await this.#cancelUpload(answer, signal);
			return answer.status === 201;
		} catch (error) {
			// Who may not read the other repository may be refused, by the registry or by its token server.
			if (error instanceof RemoteError && [401, 403, 404, 405].includes(error.failure.status)) return false;
			throw error;
		}
	}

	/** Tokens are for named repositories: for a mount one is needed that names both. It must not spoil the push's own. */
	#connectionWith(repository: string): EndpointConnection {
		if (!this.connection.authenticator.usesTokens) return this.connection;
		const known = this.#wider.get(repository);
		if (known !== undefined) return known;
		const connection = this.connect([`repository:${this.path}:pull,push`, `repository:${repository}:pull`]);
		this.#wider.set(repository, connection);
		return connection;
	}

	async uploadBlob(upload: BlobUpload, signal: AbortSignal): Promise<void> {
		const retry = { ...this.retry, onRetry: upload.onRetry };
		await retrying(() => this.#upload(upload, signal), retry, signal);
	}

	async putManifest(reference: string, manifest: RemoteManifest, signal: AbortSignal): Promise<void> {
		const request = {
			method: "PUT",
			target: `/${this.path}/manifests/${reference}`,
			headers: { "Content-Type": manifest.mediaType },
			body: manifest.bytes,
			accepts: [200, 201, 202],
		} as const;
		const answer = await retrying(() => this.connection.request(request, signal), this.retry, signal);
		await answer.discard();
		const digest = answer.header("docker-content-digest");
		if (digest?.startsWith("sha256:") === true && digest !== manifest.digest)
			throw new RemoteError(`the registry stored manifest ${manifest.digest} as ${digest}`, {
				status: answer.status,
				isTransient: false,
			});
	}

	/** One stream in one request, then the digest: nothing is kept here meanwhile. What fails is cancelled at the registry. */
	async #upload(upload: BlobUpload, signal: AbortSignal): Promise<void> {
		const start = { method: "POST", target: `/${this.path}/blobs/uploads/`, accepts: [202] } as const;
		let place = await this.connection.request(start, signal);
		await place.discard();
		const body = new UploadBody(upload);
		try {
			place = await this.connection.request(
				{
					method: "PATCH",
					target: this.#location(place),
					headers: { "Content-Type": "application/octet-stream" },
					openBody: () => body.bytes(),
					accepts: [202, 204],
				},
				signal,
			);
			await place.discard();
			body.check();
			const target = this.#location(place);
			target.searchParams.set("digest", upload.digest());
			const done = await this.connection.request({ method: "PUT", target, accepts: [201, 204] }, signal);
			await done.discard();
		} catch (error) {
			await this.#abandonUpload(place);
			// A body that ended early may be refused: that is not what went wrong.
			body.check();
			throw error;
		}
	}

	async #exists(target: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<boolean> {
		const request = { method: "HEAD", target, headers, accepts: [200, 404] } as const;
		const answer = await retrying(() => this.connection.request(request, signal), this.retry, signal);
		await answer.discard();
		return answer.status === 200;
	}

	/** The push may be over already, and the registry gone: neither keeps the caller waiting. */
	async #abandonUpload(place: HttpAnswer): Promise<void> {
		try {
			await this.#cancelUpload(place, AbortSignal.timeout(ABANDON_MS));
		} catch (error) {
			// What was wrong before is what counts.
			if (!(error instanceof CancelledError)) throw error;
		}
	}

	async #cancelUpload(answer: HttpAnswer, signal: AbortSignal): Promise<void> {
		if (answer.header("location") === null) return;
		const request = { method: "DELETE", target: this.#location(answer), accepts: [200, 202, 204, 404, 405] } as const;
		try {
			await (await this.connection.request(request, signal)).discard();
		} catch (error) {
			// An upload that nobody ends is the registry's to forget.
			if (!(error instanceof RemoteError)) throw error;
		}
	}

	/** Where the upload goes on; registries behind a proxy name it without host or with the wrong scheme. */
	#location(answer: HttpAnswer): URL {
		const location = answer.header("location");
		const base = this.connection.url("/");
		if (location === null || !URL.canParse(location, base.href))
			throw new RemoteError("the registry does not say where to upload to", {
				status: answer.status,
				isTransient: false,
			});
		const url = new URL(location, base);
		if (url.host === base.host) url.protocol = base.protocol;
		return url;
	}
}

/**
 * An upload's bytes. When their source fails, the request is ended, not broken off: only its answer has the address at which the
 * reference registry lets an upload be cancelled that has got bytes.
 */
class UploadBody {
	#failure: { readonly error: unknown } | undefined;

	constructor(readonly upload: BlobUpload) {}

	async *bytes(): AsyncGenerator<Uint8Array> {
		this.#failure = undefined;
		const { open, onProgress } = this.upload;
		let sentBytes = 0;
		try {
			for await (const chunk of open()) {
				const { length } = chunk;
				yield chunk;
				sentBytes += length;
				onProgress?.(sentBytes);
			}
		} catch (error) {
			this.#failure = { error };
		}
	}

	/** @throws what the source threw */
	check(): void {
		if (this.#failure !== undefined) throw this.#failure.error;
	}
}
