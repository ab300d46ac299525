/** Says what an S3-compatible server says of a request's signature, by the AWS SDK's own implementation of Signature Version 4. */
import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { SignatureV4 } from "@smithy/signature-v4";

export interface S3Keys {
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string | undefined;
}

const SKEW_LIMIT_MS = 15 * 60 * 1000;

class Sha256 {
	readonly #hash;

	constructor(secret?: unknown) {
		this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as Uint8Array);
	}

	update(data: Uint8Array | string): void {
		this.#hash.update(data);
	}

	async digest(): Promise<Uint8Array> {
		return this.#hash.digest();
	}
}

/** @returns the error's code; undefined when the signature is right */
export async function signatureFault(
	request: IncomingMessage,
	body: Uint8Array,
	keys: S3Keys,
	nowMs: number,
): Promise<string | undefined> {
	const url = new URL(request.url ?? "/", "http://stand-in");
	return url.searchParams.has("X-Amz-Signature")
		? await addressFault(request, url, keys, nowMs)
		: await headerFault(request, url, body, keys, nowMs);
}

async function headerFault(request: IncomingMessage, url: URL, body: Uint8Array, keys: S3Keys, nowMs: number) {
	const { headers, method = "GET" } = request;
	const given = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
		headers.authorization ?? "",
	);
	const date = dateOf(headers["x-amz-date"]);
	if (given === null || date === undefined) return "AccessDenied";
	const [, credential = "", names = "", signature] = given;
	const fault = credentialFault(credential, date, keys, nowMs, headers["x-amz-security-token"]);
	if (fault !== undefined) return fault;
	const hash = headers["x-amz-content-sha256"];
	if (hash === undefined) return "MissingContentSHA256";
	if (hash !== "UNSIGNED-PAYLOAD" && hash !== createHash("sha256").update(body).digest("hex"))
		return "XAmzContentSHA256Mismatch";
	const signed = names.split(";");
	const needed = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-amz-"));
	if (needed.some((name) => !signed.includes(name))) return "AccessDenied";
	const own = await signerOf(keys).sign(
		{
			...requestOf(url, method),
			headers: Object.fromEntries(signed.map((name) => [name, String(headers[name] ?? "")])),
		},
		{ signingDate: date },
	);
	return own.headers["authorization"]?.endsWith(`Signature=${signature}`) === true
		? undefined
		: "SignatureDoesNotMatch";
}

async function addressFault({ headers, method = "GET" }: IncomingMessage, url: URL, keys: S3Keys, nowMs: number) {
	const query = url.searchParams;
	const date = dateOf(query.get("X-Amz-Date"));
	const seconds = Number(query.get("X-Amz-Expires"));
	if (date === undefined || !(seconds > 0) || query.get("X-Amz-SignedHeaders") !== "host") return "AccessDenied";
	if (nowMs > date.getTime() + seconds * 1000) return "AccessDenied";
	const token = query.get("X-Amz-Security-Token") ?? undefined;
	const fault = credentialFault(query.get("X-Amz-Credential") ?? "", date, keys, nowMs, token);
	if (fault !== undefined) return fault;
	const own = await signerOf(keys).presign(
		{
			...requestOf(url, method),
			headers: { host: headers.host ?? "", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD" },
		},
		{ signingDate: date, expiresIn: seconds },
	);
	return own.query?.["X-Amz-Signature"] === query.get("X-Amz-Signature") ? undefined : "SignatureDoesNotMatch";
}

function credentialFault(
	credential: string,
	date: Date,
	{ accessKeyId, region, sessionToken }: S3Keys,
	nowMs: number,
	token: string | string[] | undefined,
): string | undefined {
	const day = date.toISOString().slice(0, 10).replaceAll("-", "");
	const scope = `/${day}/${region}/s3/aws4_request`;
	if (!credential.endsWith(scope)) return "AuthorizationHeaderMalformed";
	if (credential.slice(0, -scope.length) !== accessKeyId) return "InvalidAccessKeyId";
	if (token !== sessionToken) return "InvalidToken";
	return Math.abs(nowMs - date.getTime()) > SKEW_LIMIT_MS ? "RequestTimeTooSkewed" : undefined;
}

function signerOf({ region, sessionToken, ...keys }: S3Keys): SignatureV4 {
	const credentials = { ...keys, ...(sessionToken === undefined ? {} : { sessionToken }) };
	return new SignatureV4({
		credentials,
		region,
		service: "s3",
		sha256: Sha256,
		uriEscapePath: false,
		applyChecksum: false,
	});
}

/** The path as the protocol has it signed: each part decoded, then encoded by its rules, whatever the client's were. */
function requestOf(url: URL, method: string) {
	const part = (text: string) =>
		encodeURIComponent(decodeURIComponent(text)).replace(
			/[!'()*]/g,
			(char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
		);
	return {
		method,
		protocol: "http:",
		hostname: url.hostname,
		path: url.pathname.split("/").map(part).join("/"),
		query: Object.fromEntries([...url.searchParams].filter(([name]) => !name.startsWith("X-Amz-"))),
	};
}

/** `20260102T030405Z` */
function dateOf(text: string | string[] | null | undefined): Date | undefined {
	const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(text ?? ""));
	if (parts === null) return undefined;
	const [, year, month, day, hour, minute, second] = parts;
	return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
