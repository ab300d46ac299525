import { Readable } from "node:stream";
import { errorMessage, InvalidParameterError, NotFoundError, UnavailableError } from "../../base/errors.ts";
import type { RemoteFile } from "../../core/build/remote-files.ts";

/** @throws NotFoundError, UnavailableError, InvalidParameterError */
export async function downloadFile(address: string, signal: AbortSignal): Promise<RemoteFile> {
	const url = URL.canParse(address) ? new URL(address) : undefined;
	if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
		throw new InvalidParameterError(`unsupported address: ${address}`);
	let response: Response;
	try {
		// As it is: a compressed file stays one.
		response = await fetch(url, {
			signal,
			redirect: "follow",
			decompress: false,
			headers: { "Accept-Encoding": "identity" },
		});
	} catch (cause) {
		signal.throwIfAborted();
		throw new UnavailableError(`failed to fetch ${address}: ${errorMessage(cause)}`, { cause });
	}
	if (!response.ok || response.body === null) {
		await response.body?.cancel();
		const message = `invalid response status ${response.status} for ${address}`;
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

/** Never anything that leads elsewhere. */
function nameOf(response: Response, url: URL): string {
	const [, quoted, plain] =
		/filename="([^"]*)"|filename=([^;\s]+)/i.exec(response.headers.get("content-disposition") ?? "") ?? [];
	const last = (quoted ?? plain ?? decoded(url.pathname)).split("/").at(-1) ?? "";
	return last === "" || last === "." || last === ".." ? "download" : last.replaceAll("\0", "");
}

function decoded(path: string): string {
	try {
		return decodeURIComponent(path);
	} catch {
		// A percent sign that is one.
		return path;
	}
}
