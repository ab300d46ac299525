import type { ApiVersion } from "../api/engine/version.ts";
import { InvalidParameterError } from "../base/errors.ts";
import type { RequestBody } from "./http/request-body.ts";
import type { Headers } from "./http/request-head.ts";
import { decodeShape, type Shape } from "./json-shape.ts";
import type { Query } from "./query.ts";

/** Bodies of JSON requests are configuration: megabytes mean a mistake or worse. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** One request as routes see it. */
export interface ApiRequest {
	readonly method: string;
	readonly headers: Headers;
	/** Values of the route's `{placeholders}`, decoded. */
	readonly parameters: Readonly<Record<string, string>>;
	readonly query: Query;
	/** The one in the path, or the newest. */
	readonly version: ApiVersion;
	/** The client named a version, so that it knows what that one answers. */
	readonly isVersioned: boolean;
	readonly body: RequestBody;
	/** Aborted when the client goes away. */
	readonly signal: AbortSignal;
}

export function parameter(request: ApiRequest, name: string): string {
	return request.parameters[name] ?? "";
}

/**
 * The JSON body in the given shape, undefined when there is none.
 * @throws InvalidParameterError in Docker's words for what is no JSON, naming the field for what has the wrong type
 */
export async function readJson<T>(request: ApiRequest, shape: Shape): Promise<T | undefined> {
	const type = request.headers.get("content-type") ?? "";
	const isEmpty = !request.body.isPresent;
	if (type === "" && !isEmpty) throw new InvalidParameterError("malformed Content-Type header (): mime: no media type");
	if (type !== "" && !isJsonType(type))
		throw new InvalidParameterError(`unsupported Content-Type header (${type}): must be 'application/json'`);
	if (isEmpty) return undefined;
	const text = (await request.body.bytes(MAX_JSON_BYTES)).toString("utf8").trim();
	if (text === "") throw emptyBody();
	return decodeShape(parseJson(text), shape) as T;
}

/** @throws InvalidParameterError when there is no body, too */
export async function requireJson<T>(request: ApiRequest, shape: Shape): Promise<T> {
	const value = await readJson<T>(request, shape);
	if (value === undefined) throw emptyBody();
	return value;
}

function isJsonType(type: string): boolean {
	return type.split(";")[0]?.trim().toLowerCase() === "application/json";
}

function emptyBody(): InvalidParameterError {
	return new InvalidParameterError("invalid JSON: got EOF while reading request body");
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message.replace(/^JSON Parse error: /, "") : String(cause);
		if (/after/i.test(reason) || hasSecondDocument(text))
			throw new InvalidParameterError("unexpected content after JSON", { cause });
		if (/EOF|Unterminated/i.test(reason)) throw new InvalidParameterError("invalid JSON: unexpected EOF", { cause });
		throw new InvalidParameterError(`invalid JSON: ${reason}`, { cause });
	}
}

/** Whether the text is one whole object or array with more behind it. */
function hasSecondDocument(text: string): boolean {
	let depth = 0;
	let inString = false;
	for (let index = 0; index < text.length; index++) {
		const character = text[index];
		if (inString) {
			if (character === "\\") index++;
			else if (character === '"') inString = false;
			continue;
		}
		if (character === '"') inString = true;
		else if (character === "{" || character === "[") depth++;
		else if (character === "}" || character === "]") depth--;
		if (depth > 0 || inString || index === text.length - 1) continue;
		return isJson(text.slice(0, index + 1));
	}
	return false;
}

function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		// Only the verdict counts: the first document is broken itself.
		return false;
	}
}
