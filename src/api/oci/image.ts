import type { Digest } from "../../base/digest.ts";

/** OCI image specification 1.1, and Docker's schema 2 where it says the same under other media types. */
export const MEDIA_TYPE = {
	ociManifest: "application/vnd.oci.image.manifest.v1+json",
	ociIndex: "application/vnd.oci.image.index.v1+json",
	ociConfig: "application/vnd.oci.image.config.v1+json",
	ociLayer: "application/vnd.oci.image.layer.v1.tar",
	ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
	ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
	dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
	dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
	dockerConfig: "application/vnd.docker.container.image.v1+json",
	dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
	dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

export interface Platform {
	architecture: string;
	os: string;
	"os.version"?: string;
	"os.features"?: string[];
	variant?: string;
}

export interface Descriptor {
	mediaType: string;
	digest: Digest;
	size: number;
	urls?: string[];
	annotations?: Record<string, string>;
	platform?: Platform;
	artifactType?: string;
}

export interface Manifest {
	schemaVersion: 2;
	mediaType?: string;
	artifactType?: string;
	config: Descriptor;
	layers: Descriptor[];
	subject?: Descriptor;
	annotations?: Record<string, string>;
}

export interface Index {
	schemaVersion: 2;
	mediaType?: string;
	artifactType?: string;
	manifests: Descriptor[];
	subject?: Descriptor;
	annotations?: Record<string, string>;
}

export interface HistoryEntry {
	created?: string;
	created_by?: string;
	author?: string;
	comment?: string;
	empty_layer?: boolean;
}

/** The image configuration. `config` has the Engine API's spelling and is kept as it came. */
export interface ImageConfig {
	created?: string;
	author?: string;
	comment?: string;
	architecture: string;
	os: string;
	variant?: string;
	"os.version"?: string;
	docker_version?: string;
	container?: string;
	container_config?: Record<string, unknown>;
	config?: Record<string, unknown>;
	rootfs: { type: "layers"; diff_ids: Digest[] };
	history?: HistoryEntry[];
}
