import { digestHex } from "../../base/digest.ts";
import { NotFoundError } from "../../base/errors.ts";
import type { ImageRecord } from "./image-record.ts";
import { type AnyReference, familiar, formatReference, parseAnyReference, withDefaultTag } from "./reference.ts";

/** Where images can be found; an index over all of them. */
export interface ImageTable {
	byId(id: string): ImageRecord | undefined;
	/** By normalised `name:tag` or `name@digest`. */
	byReference(reference: string): ImageRecord | undefined;
	all(): Iterable<ImageRecord>;
}

/**
 * The image that a user means by a name, a tag, a digest, an ID or the beginning of one. A beginning that fits several is no image.
 * @throws InvalidParameterError for what is no reference at all, NotFoundError `No such image: x`
 */
export function findImage(table: ImageTable, text: string): ImageRecord {
	const reference = parseAnyReference(text);
	const image =
		reference.kind === "digest"
			? table.byId(reference.digest)
			: (findByName(table, reference) ?? findByPrefix(table, text));
	if (image === undefined) throw noSuchImage(reference);
	return image;
}

function findByName(table: ImageTable, { named }: AnyReference & { kind: "named" }): ImageRecord | undefined {
	// A digest says more than the tag beside it.
	if (named.digest !== undefined) return table.byReference(`${named.name}@${named.digest}`);
	return table.byReference(formatReference(withDefaultTag(named)));
}

function findByPrefix(table: ImageTable, text: string): ImageRecord | undefined {
	const prefix = text.replace(/^sha256:/, "");
	if (!/^[0-9a-f]+$/.test(prefix)) return undefined;
	let found: ImageRecord | undefined;
	for (const image of table.all()) {
		if (!digestHex(image.id).startsWith(prefix)) continue;
		if (found !== undefined) return undefined;
		found = image;
	}
	return found;
}

function noSuchImage(reference: AnyReference): NotFoundError {
	const name =
		reference.kind === "digest" ? reference.digest : familiar(formatReference(withDefaultTag(reference.named)));
	return new NotFoundError(`No such image: ${name}`);
}

/** Whether `text` names the image by its ID or the beginning of it, and not by a reference. */
export function isIdPrefix(image: ImageRecord, text: string): boolean {
	return image.id.startsWith(text) || digestHex(image.id).startsWith(text);
}
