import type { Digest } from "../../base/digest.ts";
import { ACCEPTED_MANIFESTS } from "../../core/remotes/manifest.ts";
import type { BlobUpload, Pusher, RemoteManifest } from "../../core/remotes/remote.ts";
import { RemoteError } from "../../core/remotes/remote-error.ts";
import type { EndpointConnection } from "./endpoint-connection.ts";
import type { HttpAnswer } from "./http-client.ts";
import { type RetryOptions, retrying } from "./retrying.ts";

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

	/** One stream in one request, then the digest: nothing is kept here meanwhile. */
	async #upload(upload: BlobUpload, signal: AbortSignal): Promise<void> {
		const start = await this.connection.request(
			{ method: "POST", target: `/${this.path}/blobs/uploads/`, accepts: [202] },
			signal,
		);
		await start.discard();
		const sent = await this.connection.request(
			{
				method: "PATCH",
				target: this.#location(start),
				headers: { "Content-Type": "application/octet-stream" },
				openBody: () => counted(upload),
				accepts: [202, 204],
			},
			signal,
		);
		await sent.discard();
		const target = this.#location(sent);
		target.searchParams.set("digest", upload.digest());
		const done = await this.connection.request({ method: "PUT", target, accepts: [201, 204] }, signal);
		await done.discard();
	}

	async #exists(target: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<boolean> {
		const request = { method: "HEAD", target, headers, accepts: [200, 404] } as const;
		const answer = await retrying(() => this.connection.request(request, signal), this.retry, signal);
		await answer.discard();
		return answer.status === 200;
	}

	async #cancelUpload(answer: HttpAnswer, signal: AbortSignal): Promise<void> {
		if (answer.header("location") === null) return;
		const request = { method: "DELETE", target: this.#location(answer), accepts: [200, 202, 204, 404, 405] } as const;
		try {
			await (await this.connection.request(request, signal)).discard();
		} catch (error) {
			// An empty upload that nobody ends is the registry's to forget.
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

async function* counted({ open, onProgress }: BlobUpload): AsyncGenerator<Uint8Array> {
	let sentBytes = 0;
	for await (const chunk of open()) {
		const { length } = chunk;
		yield chunk;
		sentBytes += length;
		onProgress?.(sentBytes);
	}
}
