import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import type { Readable } from "node:stream";
import { errnoCode, errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";

const MAX_REDIRECTS = 10;

/**
 * The body of an HTTP or HTTPS address, for an import. Without a scheme it is taken for HTTP.
 * @throws InvalidParameterError for an address that is none, SystemError when it cannot be had
 */
export async function openRemoteSource(address: string, signal: AbortSignal): Promise<Readable> {
	let url = parseAddress(address);
	for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
		const response = await request(url, signal);
		const status = response.statusCode ?? 0;
		const { location } = response.headers;
		if (status >= 300 && status < 400 && location !== undefined) {
			response.destroy();
			url = parseAddress(new URL(location, url).href);
			continue;
		}
		if (status >= 200 && status < 300) return response;
		response.destroy();
		throw new SystemError(`${url.href} failed with status ${status} ${response.statusMessage ?? ""}`.trimEnd());
	}
	throw new SystemError(`Get "${address}": stopped after ${MAX_REDIRECTS} redirects`);
}

function parseAddress(address: string): URL {
	const text = address.includes("://") ? address : `http://${address}`;
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
		throw new InvalidParameterError(`unsupported address to import from: ${address}`);
	return url;
}

function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
	const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
	const get = url.protocol === "https:" ? httpsGet : httpGet;
	get(url, { signal }, resolve).on("error", (cause) =>
		reject(new SystemError(`Get "${url.href}": ${connectFailure(url, cause)}`, { cause })),
	);
	return promise;
}

const CONNECT_FAILURES: Readonly<Record<string, string>> = {
	ECONNREFUSED: "connection refused",
	EHOSTUNREACH: "no route to host",
	ENETUNREACH: "network is unreachable",
	ETIMEDOUT: "i/o timeout",
};

function connectFailure(url: URL, cause: unknown): string {
	const code = errnoCode(cause) ?? "";
	const port = url.port || (url.protocol === "https:" ? "443" : "80");
	if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `dial tcp: lookup ${url.hostname}: no such host`;
	const why = CONNECT_FAILURES[code];
	return why === undefined ? errorMessage(cause) : `dial tcp ${url.hostname}:${port}: connect: ${why}`;
}
