/**
 * Reads the head of an HTTP/1.x request. Strict where leniency would let two parsers see two different requests
 * (RFC 9112, sections 2.2, 5.1 and 6.3): no folded lines, no control characters, no doubtful body lengths.
 */
import { ProtocolError } from "./protocol-error.ts";

export type Headers = ReadonlyMap<string, string>;

export interface RequestHead {
	readonly method: string;
	/** Path and query as sent. */
	readonly target: string;
	readonly httpMinor: 0 | 1;
	/** Lower-case names; repeated fields are joined by `, `. */
	readonly headers: Headers;
}

/** Registry credentials of many hosts travel in one header, so heads may be large. */
export const MAX_HEAD_BYTES = 1024 * 1024;

const HEAD_END = Buffer.from("\r\n\r\n");
const REQUEST_LINE = /^([A-Z]+) (\/[^\s]*|\*|https?:\/\/[^\s]+) HTTP\/1\.([01])$/;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FORBIDDEN_IN_VALUE = /[\0-\x08\x0a-\x1f\x7f]/;

/** @returns the length of the head with its empty line, or undefined while that has not arrived. */
export function findHeadEnd(bytes: Buffer, searchFrom = 0): number | undefined {
	const index = bytes.indexOf(HEAD_END, searchFrom);
	if (index >= 0) return index + HEAD_END.length;
	if (bytes.length > MAX_HEAD_BYTES) throw new ProtocolError("headers-too-large", "request headers are too large");
	return undefined;
}

/** @param bytes a whole head, its empty line included */
export function parseRequestHead(bytes: Buffer): RequestHead {
	if (bytes.length > MAX_HEAD_BYTES) throw new ProtocolError("headers-too-large", "request headers are too large");
	const lines = bytes.toString("latin1", 0, bytes.length - HEAD_END.length).split("\r\n");
	const match = REQUEST_LINE.exec(lines[0] ?? "");
	if (match === null) throw new ProtocolError("bad-request", "malformed request line");
	const headers = new Map<string, string>();
	for (let index = 1; index < lines.length; index++) addField(headers, lines[index] ?? "");
	const httpMinor = match[3] === "0" ? 0 : 1;
	if (httpMinor === 1 && !headers.has("host")) throw new ProtocolError("bad-request", "missing required Host header");
	return { method: match[1] ?? "", target: originForm(match[2] ?? ""), httpMinor, headers };
}

function addField(headers: Map<string, string>, line: string): void {
	const colon = line.indexOf(":");
	const name = line.slice(0, colon);
	const value = line.slice(colon + 1).trim();
	if (colon <= 0 || !FIELD_NAME.test(name) || FORBIDDEN_IN_VALUE.test(value))
		throw new ProtocolError("bad-request", "malformed header field");
	const key = name.toLowerCase();
	const earlier = headers.get(key);
	headers.set(key, earlier === undefined ? value : `${earlier}, ${value}`);
}

/** A client that takes us for a proxy sends the absolute form. */
function originForm(target: string): string {
	if (target.startsWith("/") || target === "*") return target;
	const slash = target.indexOf("/", target.indexOf("://") + 3);
	return slash < 0 ? "/" : target.slice(slash);
}

export type BodyLength = { readonly kind: "none" } | { readonly kind: "chunked" } | FixedLength;
interface FixedLength {
	readonly kind: "fixed";
	readonly sizeBytes: number;
}

/** How the body is delimited (RFC 9112, section 6.3). */
export function bodyLength(head: RequestHead): BodyLength {
	const encoding = head.headers.get("transfer-encoding");
	const length = head.headers.get("content-length");
	if (encoding !== undefined) {
		if (length !== undefined)
			throw new ProtocolError("bad-request", "both Transfer-Encoding and Content-Length are present");
		if (encoding.toLowerCase() !== "chunked" || head.httpMinor === 0)
			throw new ProtocolError("unsupported-encoding", `unsupported transfer encoding: "${encoding}"`);
		return { kind: "chunked" };
	}
	if (length === undefined) return { kind: "none" };
	const values = new Set(length.split(",").map((value) => value.trim()));
	const [value] = values;
	if (values.size !== 1 || value === undefined || !/^\d{1,15}$/.test(value))
		throw new ProtocolError("bad-request", `bad Content-Length "${length}"`);
	return value === "0" ? { kind: "none" } : { kind: "fixed", sizeBytes: Number(value) };
}

/** Whether the client lets the connection carry another request. */
export function isKeepAlive(head: RequestHead): boolean {
	const tokens = (head.headers.get("connection") ?? "").toLowerCase();
	return head.httpMinor === 1 ? !/\bclose\b/.test(tokens) : /\bkeep-alive\b/.test(tokens);
}
