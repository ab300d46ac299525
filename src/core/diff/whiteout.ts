/** Whiteouts as an image layer writes them (OCI image specification, "Representing Changes", "Whiteouts"). */
import { InvalidParameterError } from "../../base/errors.ts";
import { baseOf, joinPath, parentOf } from "./archive-path.ts";

const PREFIX = ".wh.";
const META_PREFIX = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";

export type Whiteout =
	| { readonly kind: "none" }
	/** What lower layers have at `path` is gone. */
	| { readonly kind: "removed"; readonly path: string }
	/** What lower layers have in the directory `path` is gone. */
	| { readonly kind: "opaque"; readonly path: string }
	/** AUFS's own files, which mean nothing elsewhere. */
	| { readonly kind: "ignored" };

const NONE: Whiteout = { kind: "none" };

/** @param path cleaned. @throws InvalidParameterError for a whiteout of `.` or `..` */
export function parseWhiteout(path: string): Whiteout {
	if (!path.includes(PREFIX)) return NONE;
	const base = baseOf(path);
	const parent = parentOf(path);
	if (base === OPAQUE) return { kind: "opaque", path: parent };
	if (path.split("/").some((part) => part.startsWith(META_PREFIX))) return { kind: "ignored" };
	if (!base.startsWith(PREFIX)) return NONE;
	const original = base.slice(PREFIX.length);
	if (original === "" || original === "." || original === "..")
		throw new InvalidParameterError(`invalid whiteout: "${path}"`);
	return { kind: "removed", path: joinPath(parent, original) };
}

export function whiteoutName(path: string): string {
	return joinPath(parentOf(path), `${PREFIX}${baseOf(path)}`);
}

export function opaqueMarker(directory: string): string {
	return joinPath(directory, OPAQUE);
}

/** Whether no file can have that name in a layer. */
export function isWhiteoutName(base: string): boolean {
	return base.startsWith(PREFIX);
}
