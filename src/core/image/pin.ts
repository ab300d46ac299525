import type { Digest } from "../../base/digest.ts";
import type { ImageRecord } from "./image-record.ts";
import { type AnyReference, familiar, formatReference, parseAnyReference, withDefaultTag } from "./reference.ts";

/**
 * What a pin on `text` holds on to: a name (whatever image has it), or, by ID, one image.
 * @param resolveId the image that an ID or the beginning of one means
 * @returns normalised `name:tag`, `name@digest`, or an ID
 * @throws InvalidParameterError
 */
export function pinName(text: string, resolveId: (text: string) => ImageRecord | undefined): string {
	const image = resolveId(text);
	if (image !== undefined) return image.id;
	const reference: AnyReference = parseAnyReference(text);
	if (reference.kind === "digest") return reference.digest;
	const named = withDefaultTag(reference.named);
	return named.digest === undefined ? formatReference(named) : `${named.name}@${named.digest}`;
}

/** The pin that holds the image, for people; undefined: none. */
export function pinOf(image: ImageRecord, pins: ReadonlySet<string>): string | undefined {
	if (pins.has(image.id)) return image.id;
	return [...image.tags, ...image.repoDigests].find((reference) => pins.has(reference));
}

/** As people write it. */
export function familiarPin(pin: string): string {
	return isId(pin) ? pin : familiar(pin);
}

function isId(pin: string): pin is Digest {
	return pin.startsWith("sha256:");
}
