/** How an image came to be: an in-toto statement with SLSA provenance 0.2, as BuildKit writes it. */
import type { Platform } from "../../api/oci/image.ts";
import { type Digest, digestHex } from "../../base/digest.ts";
import { formatPlatform } from "../image/platform.ts";
import type { Statement } from "../image/published-form.ts";
import { familiar, parseReference } from "../image/reference.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import { layoutName } from "./plan/stage-graph.ts";
import type { BuildRequest } from "./request.ts";

export interface ProvenanceInput {
	readonly request: BuildRequest;
	readonly plan: BuildPlan;
	readonly platform: Platform;
	/** The Dockerfile's text, for `mode=max`. */
	readonly dockerfile: string;
	readonly buildId: string;
	/** Milliseconds since the epoch. */
	readonly startedAt: number;
	readonly finishedAt: number;
}

const STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1";
const PREDICATE_TYPE = "https://slsa.dev/provenance/v0.2";
const BUILD_TYPE = "https://mobyproject.org/buildkit@v1";

/** What a statement is about: the manifest, by each of the image's names. */
export function statementSubjects(manifest: Digest, platform: Platform, names: readonly string[]) {
	const subjects = names.length === 0 ? ["_"] : names.map((name) => packageUrl(name, platform));
	return subjects.map((name) => ({ name, digest: { sha256: digestHex(manifest) } }));
}

/** @param names the image's names; the subject of the statement */
export function provenance(input: ProvenanceInput, manifest: Digest, names: readonly string[]): Statement {
	const { request, plan, platform, buildId } = input;
	const isMax = request.attestations.provenance?.mode === "max";
	const statement = {
		_type: STATEMENT_TYPE,
		predicateType: PREDICATE_TYPE,
		subject: statementSubjects(manifest, platform, names),
		predicate: {
			builder: { id: "" },
			buildType: BUILD_TYPE,
			materials: materials(plan, platform),
			invocation: {
				configSource: { entryPoint: nameOf(request) },
				// Build arguments may be secrets: only who asks for everything gets them.
				parameters: { frontend: "dockerfile.v0", ...(isMax ? { args: argumentsOf(request) } : {}) },
				environment: { platform: formatPlatform(platform) },
			},
			metadata: {
				buildInvocationID: buildId,
				buildStartedOn: new Date(input.startedAt).toISOString(),
				buildFinishedOn: new Date(input.finishedAt).toISOString(),
				completeness: { parameters: isMax, environment: true, materials: false },
				reproducible: false,
				...(isMax ? { "https://mobyproject.org/buildkit@v1#metadata": { source: sourceOf(input) } } : {}),
			},
		},
	};
	return { predicateType: PREDICATE_TYPE, bytes: Buffer.from(JSON.stringify(statement)) };
}

/** Images that the build stood on. */
function materials(plan: BuildPlan, platform: Platform): { uri: string; digest: { sha256: string } }[] {
	const found = new Map<string, string>();
	for (const { from } of plan.stages.values()) {
		if (from.kind !== "image") continue;
		const { reference, repoDigest, id } = from.image;
		const digest = repoDigest?.slice(repoDigest.indexOf("@") + 1) ?? id;
		const uri = layoutName(reference) === undefined ? packageUrl(reference, platform) : reference;
		found.set(uri, digest.replace(/^sha256:/, ""));
	}
	return [...found].map(([uri, sha256]) => ({ uri, digest: { sha256 } }));
}

function packageUrl(reference: string, platform: Platform): string {
	const { name, tag = "latest" } = parseReference(reference);
	return `pkg:docker/${familiar(name)}@${tag}?platform=${encodeURIComponent(formatPlatform(platform))}`;
}

function argumentsOf(request: BuildRequest): Record<string, string> {
	return {
		...Object.fromEntries([...request.buildArgs].map(([name, value]) => [`build-arg:${name}`, value])),
		...Object.fromEntries([...request.labels].map(([name, value]) => [`label:${name}`, value])),
		...(request.target === "" ? {} : { target: request.target }),
	};
}

function sourceOf({ request, dockerfile }: ProvenanceInput) {
	const data = Buffer.from(dockerfile).toString("base64");
	return { infos: [{ filename: nameOf(request), language: "Dockerfile", data }] };
}

function nameOf({ dockerfile }: BuildRequest): string {
	return dockerfile.kind === "text" ? dockerfile.name : dockerfile.path;
}
