/** What is in an image: an in-toto statement with an SPDX 2.3 document. */
import type { Platform } from "../../../api/oci/image.ts";
import { type Digest, digestHex } from "../../../base/digest.ts";
import type { Statement } from "../../image/published-form.ts";
import { statementSubjects } from "../provenance.ts";
import type { InstalledPackage } from "./package-databases.ts";

export interface PackageInventory {
	readonly packages: readonly InstalledPackage[];
	/** `ID` of the image's os-release. */
	readonly distribution: string | undefined;
}

export interface SbomInput {
	readonly inventory: PackageInventory;
	readonly platform: Platform;
	/** The image's; the subject of the statement. */
	readonly names: readonly string[];
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
}

const STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1";
const PREDICATE_TYPE = "https://spdx.dev/Document";
const DOCUMENT_ID = "SPDXRef-DOCUMENT";
const IMAGE_ID = "SPDXRef-Image";
/** As package URLs call them where the image does not say whose packages they are. */
const DEFAULT_DISTRIBUTION: Readonly<Record<string, string>> = { deb: "debian", apk: "alpine" };

export function sbomStatement(input: SbomInput, manifest: Digest): Statement {
	const { names, platform } = input;
	const statement = {
		_type: STATEMENT_TYPE,
		predicateType: PREDICATE_TYPE,
		subject: statementSubjects(manifest, platform, names),
		predicate: spdxDocument(input, manifest),
	};
	return { predicateType: PREDICATE_TYPE, bytes: Buffer.from(JSON.stringify(statement)) };
}

function spdxDocument({ inventory, names, createdAt }: SbomInput, manifest: Digest) {
	const { packages, distribution } = inventory;
	const name = names[0] ?? "image";
	const ids = packages.map((_, at) => `SPDXRef-Package-${at + 1}`);
	return {
		spdxVersion: "SPDX-2.3",
		dataLicense: "CC0-1.0",
		SPDXID: DOCUMENT_ID,
		name,
		// Not to be fetched: it tells this document from all others.
		documentNamespace: `urn:gantry:sbom:${manifest}`,
		creationInfo: { created: new Date(createdAt).toISOString().replace(/\.\d+Z$/, "Z"), creators: ["Tool: gantry"] },
		packages: [
			{
				...unsaid(),
				SPDXID: IMAGE_ID,
				name,
				versionInfo: manifest,
				primaryPackagePurpose: "CONTAINER",
				checksums: [{ algorithm: "SHA256", checksumValue: digestHex(manifest) }],
			},
			...packages.map((each, at) => ({
				...unsaid(),
				SPDXID: ids[at],
				name: each.name,
				versionInfo: each.version,
				sourceInfo: `found in ${each.foundIn}`,
				...(each.license === undefined ? {} : { licenseComments: `declared as ${each.license}` }),
				externalRefs: [
					{
						referenceCategory: "PACKAGE-MANAGER",
						referenceType: "purl",
						referenceLocator: packageUrl(each, distribution),
					},
				],
			})),
		],
		relationships: [
			{ spdxElementId: DOCUMENT_ID, relationshipType: "DESCRIBES", relatedSpdxElement: IMAGE_ID },
			...ids.map((id) => ({ spdxElementId: IMAGE_ID, relationshipType: "CONTAINS", relatedSpdxElement: id })),
		],
	};
}

function unsaid() {
	return {
		downloadLocation: "NOASSERTION",
		filesAnalyzed: false,
		licenseConcluded: "NOASSERTION",
		licenseDeclared: "NOASSERTION",
		copyrightText: "NOASSERTION",
	};
}

function packageUrl({ kind, name, version, architecture }: InstalledPackage, distribution: string | undefined): string {
	const isDistributed = kind === "deb" || kind === "apk";
	const namespace = isDistributed ? `${distribution ?? DEFAULT_DISTRIBUTION[kind]}/` : "";
	const own = kind === "pypi" ? name.toLowerCase().replaceAll("_", "-") : name;
	const path = own.split("/").map(encodeURIComponent).join("/");
	const arch = architecture === undefined ? "" : `?arch=${encodeURIComponent(architecture)}`;
	return `pkg:${kind}/${namespace}${path}@${encodeURIComponent(version)}${arch}`;
}
