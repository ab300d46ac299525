/** What S3-compatible storage answers: errors, and the few documents that are read. Elements that nobody asks for are passed over. */
import { isTransientStatus } from "../../core/remotes/retry.ts";

/** An answer that is none: a refusal, or no answer at all. */
export class S3Error extends Error {
	constructor(
		message: string,
		/** HTTP's; 0 when nothing was answered. */
		readonly status: number,
		/** The protocol's, e.g. `SlowDown`; empty where the answer has no body (`HEAD`). */
		readonly code: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.name = "S3Error";
	}

	/** The object is not there; that the bucket is not is another thing. */
	get isMissing(): boolean {
		return this.status === 404 && ["", "NoSuchKey", "NotFound"].includes(this.code);
	}

	/** Whether another attempt might do. */
	get isTransient(): boolean {
		if (TRANSIENT_CODES.has(this.code)) return true;
		return this.status === 0 || (isTransientStatus(this.status) && this.status !== 501);
	}
}

/** Said with a status that means something else. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
	"RequestTimeout",
	"SlowDown",
	"InternalError",
	"ServiceUnavailable",
]);
const MESSAGE_LIMIT = 300;

export function errorOf(status: number, body: string): S3Error {
	const error = elements(body, "Error")[0] ?? "";
	const code = textOf(error, "Code") ?? "";
	const said = textOf(error, "Message")?.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ") ?? "";
	const message = [code, said.slice(0, MESSAGE_LIMIT)].filter((text) => text !== "").join(": ");
	return new S3Error(message === "" ? `the storage answers ${status}` : message, status, code);
}

/** A completion may fail with a status that says it has not. @throws S3Error */
export function checkCompleted(body: string): void {
	if (elements(body, "Error").length > 0) throw errorOf(200, body);
	if (elements(body, "CompleteMultipartUploadResult").length === 0)
		throw new S3Error("the storage does not say that it has the object", 200, "");
}

export interface ListPage {
	readonly keys: readonly string[];
	/** Common beginnings of further keys, with the delimiter. */
	readonly prefixes: readonly string[];
	/** Asks for the next page. */
	readonly next: string | undefined;
}

export function listPage(body: string): ListPage {
	const result = only(body, "ListBucketResult");
	const keys = elements(result, "Contents").flatMap((entry) => textOf(entry, "Key") ?? []);
	const prefixes = elements(result, "CommonPrefixes").flatMap((entry) => textOf(entry, "Prefix") ?? []);
	const isCut = textOf(result, "IsTruncated") === "true";
	return { keys, prefixes, next: isCut ? textOf(result, "NextContinuationToken") : undefined };
}

export interface BegunObject {
	readonly key: string;
	readonly uploadId: string;
	readonly begunMs: number;
}

export interface BegunPage {
	readonly begun: readonly BegunObject[];
	/** Where the next page begins. */
	readonly next: { readonly key: string; readonly uploadId: string } | undefined;
}

export function begunPage(body: string): BegunPage {
	const result = only(body, "ListMultipartUploadsResult");
	const begun = elements(result, "Upload").flatMap((entry) => {
		const [key, uploadId] = [textOf(entry, "Key"), textOf(entry, "UploadId")];
		const begunMs = Date.parse(textOf(entry, "Initiated") ?? "");
		return key === undefined || uploadId === undefined || Number.isNaN(begunMs) ? [] : { key, uploadId, begunMs };
	});
	const key = textOf(result, "NextKeyMarker");
	const isCut = textOf(result, "IsTruncated") === "true" && key !== undefined;
	return { begun, next: isCut ? { key, uploadId: textOf(result, "NextUploadIdMarker") ?? "" } : undefined };
}

/** @throws S3Error */
export function uploadIdOf(body: string): string {
	const id = textOf(body, "UploadId");
	if (id === undefined || id === "") throw new S3Error("the storage does not name the object it begins", 200, "");
	return id;
}

function only(body: string, name: string): string {
	const [found] = elements(body, name);
	if (found === undefined) throw new S3Error(`the storage does not answer with a ${name}`, 200, "");
	return found;
}

/** Contents of all elements of a name. None of those that are read contains itself. */
function elements(xml: string, name: string): string[] {
	return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?(?<!/)>(.*?)</${name}\\s*>`, "gs"))].map(
		([, text = ""]) => text,
	);
}

function textOf(xml: string, name: string): string | undefined {
	const [text] = elements(xml, name);
	return text?.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, entity) => {
		if (entity !== undefined) return ENTITIES[entity] ?? whole;
		const code = Number.parseInt(decimal ?? hex, decimal === undefined ? 16 : 10);
		return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
	});
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
