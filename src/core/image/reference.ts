/**
 * Image references: `[domain/]path[:tag][@digest]`, the grammar of the distribution project's `reference` package, with Docker's
 * short forms: no domain means `docker.io`, and there a single path component means `library/…`.
 */
import { type Digest, isDigest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";

export interface NamedReference {
	/** Domain and path, e.g. `docker.io/library/busybox`. */
	readonly name: string;
	readonly tag: string | undefined;
	readonly digest: Digest | undefined;
}

export type AnyReference =
	| { readonly kind: "named"; readonly named: NamedReference }
	| { readonly kind: "digest"; readonly digest: Digest };

export const DEFAULT_DOMAIN = "docker.io";
export const DEFAULT_TAG = "latest";
const LIBRARY = "library/";
const NAME_LIMIT = 255;

const DOMAIN_NAME = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = `(?:${DOMAIN_NAME}(?:\\.${DOMAIN_NAME})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
const PATH_PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const TAG = "[\\w][\\w.-]{0,127}";
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const REFERENCE = new RegExp(`^((?:${DOMAIN}/)?${PATH_PART}(?:/${PATH_PART})*)(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const WHOLE_TAG = new RegExp(`^${TAG}$`);
const WHOLE_ID = /^[a-f0-9]{64}$/;

/** @throws InvalidParameterError in the words of Docker's parser */
export function parseReference(text: string): NamedReference {
	if (WHOLE_ID.test(text))
		throw new InvalidParameterError(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
	const { domain, remainder } = splitDomain(text);
	const remoteName = remainder.split(/[:@]/, 1)[0] ?? "";
	if (remoteName !== remoteName.toLowerCase())
		throw new InvalidParameterError(`invalid reference format: repository name (${remoteName}) must be lowercase`);
	const match = REFERENCE.exec(`${domain}/${remainder}`);
	const [, name, tag, digest] = match ?? [];
	if (name === undefined) throw new InvalidParameterError("invalid reference format");
	if (name.length - domain.length - 1 > NAME_LIMIT)
		throw new InvalidParameterError(`repository name must not be more than ${NAME_LIMIT} characters`);
	if (digest !== undefined && !isDigest(digest)) throw new InvalidParameterError("invalid reference format");
	return { name, tag, digest: digest as Digest | undefined };
}

/** A reference, or the digest (with or without `sha256:`) that is an image's whole ID. @throws InvalidParameterError */
export function parseAnyReference(text: string): AnyReference {
	if (WHOLE_ID.test(text)) return { kind: "digest", digest: `sha256:${text}` as Digest };
	if (isDigest(text)) return { kind: "digest", digest: text };
	return { kind: "named", named: parseReference(text) };
}

/** What precedes the first slash is a domain when it looks like one: a dot, a port, a capital letter, or `localhost`. */
function splitDomain(text: string): { readonly domain: string; readonly remainder: string } {
	const slash = text.indexOf("/");
	const first = text.slice(0, Math.max(slash, 0));
	const isDomain = slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
	const domain = !isDomain || first === "index.docker.io" ? DEFAULT_DOMAIN : first;
	const remainder = isDomain ? text.slice(slash + 1) : text;
	return { domain, remainder: domain === DEFAULT_DOMAIN && !remainder.includes("/") ? LIBRARY + remainder : remainder };
}

/**
 * The reference of a repository and a tag given apart, as in the API's `repo` and `tag`. The tag may be a digest.
 * @throws InvalidParameterError
 */
export function referenceFromParts(repository: string, tag: string): NamedReference {
	const named = parseReference(repository);
	if (named.digest !== undefined) throw new InvalidParameterError("refusing to create a tag with a digest reference");
	refuseAmbiguousName(named);
	if (tag === "") return withDefaultTag(named);
	if (!WHOLE_TAG.test(tag)) throw new InvalidParameterError("invalid tag format");
	return { ...named, tag };
}

/** `sha256:…` means an ID: nobody could name an image that is called so. @throws InvalidParameterError */
export function refuseAmbiguousName({ name }: NamedReference): void {
	if (familiar(name) === "sha256")
		throw new InvalidParameterError("refusing to create an ambiguous tag using digest algorithm as name");
}

export function withDefaultTag(named: NamedReference): NamedReference {
	return named.tag === undefined && named.digest === undefined ? { ...named, tag: DEFAULT_TAG } : named;
}

/** The whole normalised form, e.g. `docker.io/library/busybox:latest`. */
export function formatReference(named: NamedReference): string {
	return `${named.name}${named.tag === undefined ? "" : `:${named.tag}`}${named.digest === undefined ? "" : `@${named.digest}`}`;
}

/** What people write: without `docker.io/` and `library/`. Takes a normalised name or reference. */
export function familiar(reference: string): string {
	const domain = `${DEFAULT_DOMAIN}/`;
	if (!reference.startsWith(domain)) return reference;
	const path = reference.slice(domain.length);
	const short = path.slice(LIBRARY.length);
	return path.startsWith(LIBRARY) && !short.includes("/") ? short : path;
}

/** Name, tag and digest of a normalised reference that was stored. */
export function splitReference(reference: string): NamedReference {
	const at = reference.indexOf("@");
	const digest = at < 0 ? undefined : (reference.slice(at + 1) as Digest);
	const tagged = at < 0 ? reference : reference.slice(0, at);
	const colon = tagged.indexOf(":", tagged.lastIndexOf("/"));
	return {
		name: colon < 0 ? tagged : tagged.slice(0, colon),
		tag: colon < 0 ? undefined : tagged.slice(colon + 1),
		digest,
	};
}
