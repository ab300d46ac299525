/** Where a build's files come from, told from the argument alone. */
export type ContextArgument =
	| { readonly kind: "stdin" }
	| { readonly kind: "git" | "http"; readonly url: string }
	| { readonly kind: "directory"; readonly path: string };

/** What follows the repository: `#branch:directory`, `?branch=…&subdir=…`. */
const GIT_SUFFIX = /\.git(?:[?#].*)?$/;

/** The builder's rules: what looks like a repository is one, other addresses are an archive or a Dockerfile. */
export function contextArgument(text: string): ContextArgument {
	if (text === "-") return { kind: "stdin" };
	if (/^(?:git|ssh):\/\//.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) return { kind: "git", url: text };
	if (/^https?:\/\//.test(text)) return { kind: GIT_SUFFIX.test(text) ? "git" : "http", url: text };
	if (/^github\.com\/[^/]+\/[^/]/.test(text)) return { kind: "git", url: `https://${text}` };
	return { kind: "directory", path: text };
}

export type NamedContextArgument =
	| ContextArgument
	| { readonly kind: "image"; readonly reference: string }
	/** A directory that is an OCI layout; `image` is a tag or a digest of it, empty for the only one. */
	| { readonly kind: "layout"; readonly path: string; readonly image: string };

const LAYOUT_SCHEME = "oci-layout://";

/** One `--build-context name=value`. @throws Error */
export function namedContextArgument(text: string): { name: string; source: NamedContextArgument } {
	const equals = text.indexOf("=");
	const name = text.slice(0, equals);
	const value = text.slice(equals + 1);
	if (equals <= 0 || value === "") throw new Error(`invalid context value: ${text}, expected key=value`);
	if (value.startsWith("docker-image://"))
		return { name, source: { kind: "image", reference: value.slice("docker-image://".length) } };
	if (value.startsWith(LAYOUT_SCHEME)) {
		const [, path = "", digest, tag] =
			/^(.+?)(?:@(sha256:[0-9a-f]{64})|:([\w][\w.-]{0,127}))?$/.exec(value.slice(LAYOUT_SCHEME.length)) ?? [];
		if (path === "") throw new Error(`invalid context value: ${text}, expected oci-layout://DIRECTORY[:TAG][@DIGEST]`);
		return { name, source: { kind: "layout", path, image: digest ?? tag ?? "" } };
	}
	if (value === "-") throw new Error("a named context cannot come from standard input");
	return { name, source: contextArgument(value) };
}

const ARCHIVE_MAGICS: readonly (readonly number[])[] = [
	[0x1f, 0x8b], // gzip
	[0x42, 0x5a, 0x68], // bzip2
	[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], // xz
	[0x28, 0xb5, 0x2f, 0xfd], // zstd
];
const TAR_MAGIC_OFFSET = 257;

/** Bytes of standard input that tell an archive from a Dockerfile. */
export const PROBE_BYTES = 512;

export function isArchive(head: Uint8Array): boolean {
	if (ARCHIVE_MAGICS.some((magic) => magic.every((byte, index) => head[index] === byte))) return true;
	const magic = Buffer.from(head.subarray(TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5)).toString("latin1");
	if (magic === "ustar") return true;
	// An empty archive is blocks of zeros.
	return head.length >= PROBE_BYTES && head.every((byte) => byte === 0);
}
