import { Readable } from "node:stream";
import { errnoCode, errorMessage, InvalidParameterError, NotFoundError, UnavailableError } from "../../base/errors.ts";
import type { RemoteFile } from "../../core/build/remote-files.ts";
import { type ProxySettings, proxyFor } from "../../core/remotes/proxy.ts";

/** @throws NotFoundError, UnavailableError, InvalidParameterError */
export async function downloadFile(address: string, proxies: ProxySettings, signal: AbortSignal): Promise<RemoteFile> {
	const url = URL.canParse(address) ? new URL(address) : undefined;
	// The third slash would be skipped, and a name be taken for a host.
	if (url === undefined || !/^https?:\/\/[^/]/i.test(address))
		throw new InvalidParameterError(`unsupported address: ${address}`);
	const shown = withoutPassword(url);
	const proxy = proxyFor(url, proxies);
	let response: Response;
	try {
		// As it is: a compressed file stays one.
		response = await fetch(url, {
			signal,
			redirect: "follow",
			decompress: false,
			headers: { "Accept-Encoding": "identity" },
			...(proxy === undefined ? {} : { proxy }),
		});
	} catch (cause) {
		signal.throwIfAborted();
		throw new UnavailableError(`failed to fetch ${shown}: ${reasonOf(cause)}`, { cause });
	}
	if (!response.ok || response.body === null) {
		await response.body?.cancel();
		const message = `invalid response status ${response.status} for ${shown}`;
		throw response.status === 404 ? new NotFoundError(message) : new UnavailableError(message);
	}
	const modifiedAt = Date.parse(response.headers.get("last-modified") ?? "");
	return {
		name: nameOf(response, url),
		modifiedAt: Number.isNaN(modifiedAt) ? undefined : modifiedAt,
		contentType: (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "",
		body: Readable.fromWeb(response.body as import("node:stream/web").ReadableStream),
	};
}

/** As Go shows addresses in messages. */
function withoutPassword(url: URL): string {
	if (url.password === "") return url.href;
	const shown = new URL(url);
	shown.password = "xxxxx";
	return shown.href;
}

/** Without the advice that fetch() gives to programmers. */
function reasonOf(cause: unknown): string {
	const code = errnoCode(cause);
	if (code === "ECONNREFUSED" || code === "ConnectionRefused") return "connection refused";
	if (code === "UnsupportedRedirectProtocol") return "redirected to an address that is neither http nor https";
	if (code === "TooManyRedirects") return "too many redirects";
	return errorMessage(cause)
		.replace(/ For more information, pass .*$/, "")
		.replace(/ Is the computer able to access .*$/, "");
}

/** As docker has it: the address counts, whatever the server says, unless it has no name. Never anything that leads elsewhere. */
function nameOf(response: Response, url: URL): string {
	const [, quoted, plain] =
		/filename="([^"]*)"|filename=([^;\s]+)/i.exec(response.headers.get("content-disposition") ?? "") ?? [];
	const names = [decoded(url.pathname), quoted ?? plain ?? ""].map((text) => text.split("/").at(-1) ?? "");
	const name = names.find((each) => each !== "" && each !== "." && each !== "..");
	return name?.replaceAll("\0", "") || "__unnamed__";
}

function decoded(path: string): string {
	try {
		return decodeURIComponent(path);
	} catch {
		// A percent sign that is one.
		return path;
	}
}
