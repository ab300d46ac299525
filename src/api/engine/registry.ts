import type { Platform } from "../oci/image.ts";

/** `POST /auth`, and the `X-Registry-Auth` header. */
export interface AuthConfig {
	username?: string;
	password?: string;
	auth?: string;
	/** No longer used by anybody. */
	email?: string;
	serveraddress?: string;
	identitytoken?: string;
	registrytoken?: string;
}

export interface AuthResponse {
	Status: string;
	/** Kept instead of the password. */
	IdentityToken?: string;
}

/** One line of `GET /images/search`. */
export interface SearchResponse {
	name: string;
	description: string;
	star_count: number;
	is_official: boolean;
	is_automated: boolean;
}

/** `GET /x-gantry/manifests/{name}`, an addition to Docker's API: the bytes of a manifest. */
export interface ManifestInspect {
	mediaType: string;
	digest: string;
	/** Base64. */
	content: string;
}

/** `PUT /x-gantry/manifests/{name}`. */
export interface IndexPushRequest {
	mediaType: string;
	/** Base64. */
	content: string;
	/** Manifests of it that may lie in other repositories: references with digests. */
	sources?: string[];
}

/** `GET /distribution/{name}/json`. */
export interface DistributionInspect {
	Descriptor: { mediaType: string; digest: string; size: number };
	Platforms: Platform[];
}
