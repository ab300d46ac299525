import { MEDIA_TYPE } from "../../api/oci/image.ts";
import { type Digest, isDigest } from "../../base/digest.ts";
import { NotFoundError, UnavailableError } from "../../base/errors.ts";
import { MANIFEST_LIMIT_BYTES } from "../../core/registry/manifest.ts";
import type { Upstream, UpstreamBlob, UpstreamManifest } from "../../core/registry/upstream.ts";
import { type Credentials, UpstreamTokens } from "./upstream-tokens.ts";

const ACCEPT = [
	MEDIA_TYPE.ociIndex,
	MEDIA_TYPE.dockerManifestList,
	MEDIA_TYPE.ociManifest,
	MEDIA_TYPE.dockerManifest,
	"*/*;q=0.1",
].join(", ");
const REDIRECT_LIMIT = 5;
const TAG_PAGE_LIMIT = 1000;
const HEAD_TIMEOUT_MS = 30_000;

interface Query {
	readonly name: string;
	readonly path: string;
	readonly method?: "GET" | "HEAD";
	readonly headers?: Readonly<Record<string, string>>;
	readonly signal?: AbortSignal | undefined;
}

/** A registry over HTTP. Credentials go to it and to the token service it names, never along with a redirect elsewhere. */
export class HttpUpstream implements Upstream {
	readonly #base: URL;
	readonly #tokens: UpstreamTokens;

	constructor(base: string, credentials: Credentials | undefined) {
		this.#base = new URL(base);
		this.#tokens = new UpstreamTokens(credentials);
	}

	async digestOf(name: string, tag: string, signal?: AbortSignal): Promise<Digest | undefined> {
		const response = await this.#ask({
			name,
			path: `manifests/${tag}`,
			method: "HEAD",
			headers: { Accept: ACCEPT },
			signal,
		});
		const digest = response.headers.get("docker-content-digest") ?? "";
		return isDigest(digest) ? digest : undefined;
	}

	async manifest(name: string, reference: string, signal?: AbortSignal): Promise<UpstreamManifest> {
		const response = await this.#ask({ name, path: `manifests/${reference}`, headers: { Accept: ACCEPT }, signal });
		const mediaType = (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
		return { bytes: await readBounded(response), mediaType };
	}

	async blobSize(name: string, digest: Digest, signal?: AbortSignal): Promise<number> {
		return sizeOf(await this.#ask({ name, path: `blobs/${digest}`, method: "HEAD", signal }));
	}

	async blob(name: string, digest: Digest, offset: number, signal?: AbortSignal): Promise<UpstreamBlob> {
		const headers = offset === 0 ? {} : { Range: `bytes=${offset}-` };
		const response = await this.#ask({ name, path: `blobs/${digest}`, headers, signal });
		if (response.body === null) throw new UnavailableError("the other registry sent no blob");
		if (offset > 0 && response.status !== 206) {
			await response.body.cancel();
			throw new UnavailableError("the other registry cannot continue a transfer");
		}
		// The size was asked for before; what streams need not say it again.
		return { stream: response.body };
	}

	async tags(name: string, signal?: AbortSignal): Promise<string[]> {
		const tags = new Set<string>();
		for (let path: string | undefined = "tags/list", pages = 0; path !== undefined && pages < TAG_PAGE_LIMIT; pages++) {
			const response = await this.#ask({ name, path, signal });
			const page: { tags?: unknown } = JSON.parse(Buffer.from(await readBounded(response)).toString());
			for (const tag of Array.isArray(page.tags) ? page.tags : []) if (typeof tag === "string") tags.add(tag);
			const next: string | undefined = /<[^>]*\?([^>]*)>\s*;\s*rel="?next"?/.exec(
				response.headers.get("link") ?? "",
			)?.[1];
			path = next === undefined ? undefined : `tags/list?${next}`;
		}
		return [...tags].sort();
	}

	async #ask(query: Query): Promise<Response> {
		const scope = `repository:${query.name}:pull`;
		let response = await this.#send(query, await this.#tokens.header(scope));
		if (response.status === 401) {
			const challenge = response.headers.get("www-authenticate") ?? "";
			await response.body?.cancel();
			response = await this.#send(query, await this.#tokens.answer(challenge, scope));
		}
		if (response.ok) return response;
		await response.body?.cancel();
		const what = `${query.name}/${query.path.split("?")[0]}`;
		if ([401, 403, 404].includes(response.status))
			throw new NotFoundError(`${what}: the other registry answered ${response.status}`);
		throw new UnavailableError(`${what}: the other registry answered ${response.status}`);
	}

	async #send(query: Query, authorization: string | undefined): Promise<Response> {
		let url = new URL(`/v2/${query.name}/${query.path}`, this.#base);
		for (let redirects = 0; ; redirects++) {
			const headers = new Headers({ ...query.headers, "Accept-Encoding": "identity" });
			if (authorization !== undefined && url.origin === this.#base.origin) headers.set("Authorization", authorization);
			const response = await this.#fetch(url, query, headers);
			const location = response.headers.get("location");
			if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
			await response.body?.cancel();
			if (redirects >= REDIRECT_LIMIT) throw new UnavailableError("the other registry redirects too often");
			url = new URL(location, url);
			if (url.protocol !== "https:" && url.protocol !== this.#base.protocol)
				throw new UnavailableError("the other registry redirects to a less safe place");
		}
	}

	/** The answer's head must come in time; its body may take as long as it moves. */
	async #fetch(url: URL, query: Query, headers: Headers): Promise<Response> {
		const late = new AbortController();
		const timer = setTimeout(() => late.abort(new Error("no answer in time")), HEAD_TIMEOUT_MS);
		const signal = query.signal === undefined ? late.signal : AbortSignal.any([late.signal, query.signal]);
		try {
			return await fetch(url, { method: query.method ?? "GET", headers, redirect: "manual", signal });
		} catch (cause) {
			throw new UnavailableError(`${url.host} cannot be reached`, { cause });
		} finally {
			clearTimeout(timer);
		}
	}
}

function sizeOf(response: Response): number {
	const text = response.headers.get("content-length") ?? "";
	if (!/^\d{1,15}$/.test(text)) throw new UnavailableError("the other registry does not tell the size");
	return Number(text);
}

async function readBounded(response: Response): Promise<Uint8Array> {
	const pieces: Uint8Array[] = [];
	let sizeBytes = 0;
	for await (const piece of response.body ?? []) {
		sizeBytes += piece.length;
		if (sizeBytes > MANIFEST_LIMIT_BYTES) throw new UnavailableError("the other registry's answer is too long");
		pieces.push(piece);
	}
	return Buffer.concat(pieces);
}
