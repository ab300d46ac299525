/** What goes with an image when it leaves: annotations, and statements about it. */
import { type Descriptor, type Manifest, MEDIA_TYPE, type Platform } from "../../api/oci/image.ts";
import { type Digest, sha256 } from "../../base/digest.ts";

export interface Annotations {
	readonly manifest: Readonly<Record<string, string>>;
	readonly index: Readonly<Record<string, string>>;
	/** Of the manifest's descriptor in the index. */
	readonly manifestDescriptor: Readonly<Record<string, string>>;
}

export interface PublishedForm {
	readonly annotations: Annotations;
	/** Statements about the image with that manifest; undefined: nothing is stated. Statements make an index of a single image. */
	readonly attest: ((manifest: Digest, platform: Platform) => readonly Statement[]) | undefined;
	/** A single image has an index, too. */
	readonly hasIndex?: boolean | undefined;
}

export const PLAIN_FORM: PublishedForm = {
	annotations: { manifest: {}, index: {}, manifestDescriptor: {} },
	attest: undefined,
};

/** Whether even a single image needs an index around it. */
export function needsIndex({ annotations, attest, hasIndex = false }: PublishedForm): boolean {
	const onIndex = { ...annotations.index, ...annotations.manifestDescriptor };
	return hasIndex || attest !== undefined || Object.keys(onIndex).length > 0;
}

/** Whether there is nothing but the image, with an index or without. */
export function isPlainForm(form: PublishedForm): boolean {
	return !needsIndex({ ...form, hasIndex: false }) && Object.keys(form.annotations.manifest).length === 0;
}

/** An in-toto statement, as bytes. */
export interface Statement {
	readonly predicateType: string;
	readonly bytes: Uint8Array;
}

/** The attestation manifest of BuildKit: an image nobody runs, whose layers are the statements. */
export interface AttestationManifest {
	readonly config: Uint8Array;
	readonly manifest: Uint8Array;
	readonly descriptor: Descriptor;
}

const STATEMENT_TYPE = "application/vnd.in-toto+json";

export function attestationManifest(subject: Digest, statements: readonly Statement[]): AttestationManifest {
	const layers = statements.map(
		({ predicateType, bytes }): Descriptor => ({
			mediaType: STATEMENT_TYPE,
			digest: sha256(bytes),
			size: bytes.length,
			annotations: { "in-toto.io/predicate-type": predicateType },
		}),
	);
	const config = Buffer.from(
		JSON.stringify({
			architecture: "unknown",
			os: "unknown",
			config: {},
			rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
		}),
	);
	const content: Manifest = {
		schemaVersion: 2,
		mediaType: MEDIA_TYPE.ociManifest,
		config: { mediaType: MEDIA_TYPE.ociConfig, digest: sha256(config), size: config.length },
		layers,
	};
	const manifest = Buffer.from(JSON.stringify(content));
	const descriptor: Descriptor = {
		mediaType: MEDIA_TYPE.ociManifest,
		digest: sha256(manifest),
		size: manifest.length,
		annotations: {
			"vnd.docker.reference.digest": subject,
			"vnd.docker.reference.type": "attestation-manifest",
		},
		platform: { architecture: "unknown", os: "unknown" },
	};
	return { config, manifest, descriptor };
}

/** `annotations` of a document, left out when there are none. */
export function annotated(annotations: Readonly<Record<string, string>>): {
	readonly annotations?: Record<string, string>;
} {
	return Object.keys(annotations).length === 0 ? {} : { annotations: { ...annotations } };
}
