/**
 * The layout of a registry's storage:
 *
 *   version                                       "1", the layout's version
 *   lock                                          held by the process that serves the root (file storage only)
 *   token-key.pem                                 signs tokens of the built-in token service (file storage only)
 *   blobs/<algorithm>/<ab>/<hex>                  immutable bytes, verified; the modification time is their last use by a push
 *   uploads/<id>/data                             bytes being uploaded
 *   uploads/<id>/repository                       name of the repository that they are meant for
 *   repositories/<name>/_blobs/<algorithm>/<hex>      empty: the repository serves this blob
 *   repositories/<name>/_manifests/<algorithm>/<hex>  media type of the manifest; its bytes are a blob
 *   repositories/<name>/_tags/<tag>                   digest of a manifest
 *   repositories/<name>/_referrers/<algorithm>/<hex>/<algorithm>-<hex>  descriptor (JSON) of a manifest whose subject is the former
 *
 * No part of a repository's name begins with an underscore, so names and the rest never meet. A change of the layout needs a new
 * version and a migration.
 */
import { type Digest, digestHex } from "../../base/digest.ts";
import { invariant } from "../../base/errors.ts";
import { isRepositoryName, isTag, isUploadId } from "./names.ts";

export const LAYOUT_VERSION = "1";

export type PathSpec =
	| { readonly kind: "version" }
	| { readonly kind: "blob"; readonly digest: Digest }
	| { readonly kind: "blobs-root" }
	| { readonly kind: "uploads-root" }
	| { readonly kind: "upload" | "upload-data" | "upload-repository"; readonly id: string }
	| { readonly kind: "repositories-root" }
	| {
			readonly kind: "repository" | "links-root" | "manifests-root" | "tags-root" | "referrers-root";
			readonly name: string;
	  }
	| { readonly kind: "link" | "manifest" | "referrers"; readonly name: string; readonly digest: Digest }
	| { readonly kind: "tag"; readonly name: string; readonly tag: string }
	| { readonly kind: "referrer"; readonly name: string; readonly subject: Digest; readonly digest: Digest };

/** The only maker of storage paths. What came from outside is checked once more here: no name can leave its place. */
export function pathFor(spec: PathSpec): string {
	switch (spec.kind) {
		case "version":
			return "version";
		case "blobs-root":
			return "blobs";
		case "blob": {
			const hex = digestHex(spec.digest);
			return `blobs/${algorithmOf(spec.digest)}/${hex.slice(0, 2)}/${hex}`;
		}
		case "uploads-root":
			return "uploads";
		case "upload":
			return uploadPath(spec.id);
		case "upload-data":
			return `${uploadPath(spec.id)}/data`;
		case "upload-repository":
			return `${uploadPath(spec.id)}/repository`;
		case "repositories-root":
			return "repositories";
		default:
			return repositoryPath(spec);
	}
}

type RepositorySpec = Extract<PathSpec, { readonly name: string }>;

function repositoryPath(spec: RepositorySpec): string {
	invariant(isRepositoryName(spec.name), "a repository's name was checked");
	const root = `repositories/${spec.name}`;
	switch (spec.kind) {
		case "repository":
			return root;
		case "links-root":
			return `${root}/_blobs`;
		case "manifests-root":
			return `${root}/_manifests`;
		case "tags-root":
			return `${root}/_tags`;
		case "referrers-root":
			return `${root}/_referrers`;
		case "link":
			return `${root}/_blobs/${digestPath(spec.digest)}`;
		case "manifest":
			return `${root}/_manifests/${digestPath(spec.digest)}`;
		case "tag":
			invariant(isTag(spec.tag), "a tag was checked");
			return `${root}/_tags/${spec.tag}`;
		case "referrers":
			return `${root}/_referrers/${digestPath(spec.digest)}`;
		case "referrer":
			return `${root}/_referrers/${digestPath(spec.subject)}/${digestPath(spec.digest).replace("/", "-")}`;
	}
}

function uploadPath(id: string): string {
	invariant(isUploadId(id), "an upload's name was checked");
	return `uploads/${id}`;
}

function digestPath(digest: Digest): string {
	return `${algorithmOf(digest)}/${digestHex(digest)}`;
}

function algorithmOf(digest: Digest): string {
	return digest.slice(0, digest.indexOf(":"));
}
