/** What the routes work with: the services of one registry. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { AccessRules } from "../core/registry/access.ts";
import type { Authenticator, PasswordStore, TokenIssuer } from "../core/registry/authenticator.ts";
import type { RegistryStorage } from "../core/registry/storage.ts";
import type { BlobService } from "./blobs.ts";
import type { RegistryEvents } from "./events.ts";
import type { ManifestService } from "./manifests.ts";
import type { Metrics } from "./metrics.ts";
import type { PullThrough } from "./proxy/pull-through.ts";
import type { UploadService } from "./uploads.ts";

/** The built-in token service. */
export interface TokenService {
	readonly service: string;
	readonly passwords: PasswordStore;
	readonly rules: AccessRules;
	readonly issuer: TokenIssuer;
}

export interface Registry {
	readonly storage: RegistryStorage;
	readonly blobs: BlobService;
	readonly uploads: UploadService;
	readonly manifests: ManifestService;
	readonly events: RegistryEvents;
	readonly metrics: Metrics;
	readonly logger: Logger;
	readonly clock: Clock;
	/** Everybody may do everything when undefined. */
	readonly authenticator: Authenticator | undefined;
	readonly tokenService: TokenService | undefined;
	/** Another registry that this one is a cache of. */
	readonly pullThrough: PullThrough | undefined;
	readonly isReadOnly: boolean;
	readonly hasPages: boolean;
}
