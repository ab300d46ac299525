import { type Descriptor, type Manifest, MEDIA_TYPE } from "../../api/oci/image.ts";
import { sha256 } from "../../base/digest.ts";
import type { RemoteManifest } from "./remote.ts";

/** A manifest for an image that was made here, in the form every registry and every client takes: Docker's schema 2. */
export function newManifest(
	config: Omit<Descriptor, "mediaType">,
	layers: readonly Descriptor[],
	annotations: Readonly<Record<string, string>> = {},
): RemoteManifest {
	const manifest: Manifest = {
		schemaVersion: 2,
		mediaType: MEDIA_TYPE.dockerManifest,
		config: { mediaType: MEDIA_TYPE.dockerConfig, size: config.size, digest: config.digest },
		layers: layers.map((layer) => ({ ...layer, mediaType: DOCKER_TYPES[layer.mediaType] ?? layer.mediaType })),
	};
	const hasOciLayer = manifest.layers.some(({ mediaType }) => mediaType.startsWith("application/vnd.oci."));
	// Schema 2 has no word for zstd, and no annotations.
	const isAnnotated = Object.keys(annotations).length > 0;
	const plain = hasOciLayer || isAnnotated ? ociForm(manifest) : manifest;
	const whole = isAnnotated ? { ...plain, annotations: { ...annotations } } : plain;
	const bytes = Buffer.from(JSON.stringify(whole));
	return { bytes, digest: sha256(bytes), mediaType: whole.mediaType ?? MEDIA_TYPE.dockerManifest };
}

const DOCKER_TYPES: Readonly<Record<string, string>> = {
	[MEDIA_TYPE.ociLayer]: MEDIA_TYPE.dockerLayer,
	[MEDIA_TYPE.ociLayerGzip]: MEDIA_TYPE.dockerLayerGzip,
};
const OCI_TYPES: Readonly<Record<string, string>> = {
	[MEDIA_TYPE.dockerLayer]: MEDIA_TYPE.ociLayer,
	[MEDIA_TYPE.dockerLayerGzip]: MEDIA_TYPE.ociLayerGzip,
};

function ociForm(manifest: Manifest): Manifest {
	return {
		...manifest,
		mediaType: MEDIA_TYPE.ociManifest,
		config: { ...manifest.config, mediaType: MEDIA_TYPE.ociConfig },
		layers: manifest.layers.map((layer) => ({ ...layer, mediaType: OCI_TYPES[layer.mediaType] ?? layer.mediaType })),
	};
}
