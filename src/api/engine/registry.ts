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

/** `GET /distribution/{name}/json`. */
export interface DistributionInspect {
	Descriptor: { mediaType: string; digest: string; size: number };
	Platforms: Platform[];
}
