import type { Platform } from "../../../api/oci/image.ts";
import { InvalidParameterError } from "../../../base/errors.ts";
import type { BuildEvent } from "../progress.ts";
import type { BuildRequest, BuildResult, CacheEndpoint } from "../request.ts";
import type { FailedStep } from "../step-error.ts";

/** A context as the client names it in its request. */
export type ClientContext =
	/**
	 * A directory of the client's. `key` stands for the same directory in later builds; `files` are some it is known that they will be read:
	 * their texts, or null for those that are not there.
	 */
	| {
			readonly kind: "directory";
			readonly name: string;
			readonly key: string;
			readonly description: string;
			readonly files: Readonly<Record<string, string | null>>;
	  }
	/** An archive that the client sends once, over `context.tar`. */
	| { readonly kind: "tar"; readonly name: string }
	/** Fetched by the daemon: a git repository, or an archive or Dockerfile by HTTP. */
	| { readonly kind: "git" | "http"; readonly url: string };

export type ClientNamedContext =
	| ClientContext
	| { readonly kind: "image"; readonly reference: string }
	| { readonly kind: "layout"; readonly context: ClientContext; readonly image: string };

export interface ClientCacheSource extends CacheEndpoint {
	/** The directory of `type=local`. */
	readonly context?: ClientContext;
}

type PlainFields = Omit<
	BuildRequest,
	"context" | "namedContexts" | "cacheFrom" | "buildArgs" | "labels" | "allow" | "session" | "sourceDateEpoch"
>;

/** What opens the client's stream: a build's request as plain data. */
export interface BuildCall extends PlainFields {
	readonly method: "build";
	readonly context: ClientContext | null;
	readonly namedContexts: Readonly<Record<string, ClientNamedContext>>;
	readonly cacheFrom: readonly ClientCacheSource[];
	readonly buildArgs: Readonly<Record<string, string>>;
	readonly labels: Readonly<Record<string, string>>;
	readonly allow: readonly string[];
	readonly sourceDateEpoch: number | null;
}

/** Why a build failed, for people and for whoever shows the Dockerfile's lines. */
export interface BuildFailure {
	readonly kind: string;
	readonly message: string;
	readonly step?: FailedStep;
}

/** What the daemon sends on the stream of a build: events, then one of the others. */
export type BuildReply =
	| { readonly events: readonly WireEvent[] }
	| { readonly result: Omit<BuildResult, "images"> & { readonly images: Readonly<Record<string, string>> } }
	| { readonly failure: BuildFailure };

/** An event with a log's bytes in base64. */
export type WireEvent =
	| Exclude<BuildEvent, { kind: "log" }>
	| {
			readonly kind: "log";
			readonly log: {
				readonly vertex: string;
				readonly stream: 1 | 2;
				readonly data: string;
				readonly timestamp: number;
			};
	  };

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isWhole: Check = (value) => Number.isSafeInteger(value);
const isFlag: Check = (value) => typeof value === "boolean";
const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);
const listOf =
	(item: Check): Check =>
	(value) =>
		Array.isArray(value) && value.every(item);
const mapOf =
	(item: Check): Check =>
	(value) =>
		isObject(value) && Object.values(value).every(item);
const oneOf =
	(...texts: string[]): Check =>
	(value) =>
		texts.includes(String(value));
const fields =
	(checks: Readonly<Record<string, Check>>): Check =>
	(value) =>
		isObject(value) && Object.entries(checks).every(([name, check]) => check(value[name]));
const optional =
	(check: Check): Check =>
	(value) =>
		value === undefined || value === null || check(value);

const isContext: Check = (value) => {
	if (!isObject(value)) return false;
	if (value["kind"] === "directory")
		return fields({
			name: isText,
			key: isText,
			description: isText,
			files: mapOf((text) => text === null || isText(text)),
		})(value);
	return value["kind"] === "tar" ? isText(value["name"]) : oneOf("git", "http")(value["kind"]) && isText(value["url"]);
};

const SHAPE: Readonly<Record<Exclude<keyof BuildCall, "method">, Check>> = {
	id: isText,
	dockerfile: (value) =>
		fields({ kind: oneOf("text"), text: isText, name: isText })(value) ||
		fields({ kind: oneOf("context"), path: isText })(value),
	context: optional(isContext),
	namedContexts: mapOf(
		(value) =>
			isContext(value) ||
			fields({ kind: oneOf("image"), reference: isText })(value) ||
			fields({ kind: oneOf("layout"), context: isContext, image: isText })(value),
	),
	target: isText,
	buildArgs: mapOf(isText),
	labels: mapOf(isText),
	tags: listOf(isText),
	platforms: listOf(fields({ os: isText, architecture: isText }) as Check & ((value: Platform) => boolean)),
	noCache: (value) => value === "all" || listOf(isText)(value),
	pull: isFlag,
	cacheFrom: listOf(
		fields({ type: oneOf("registry", "local", "inline"), attributes: mapOf(isText), context: optional(isContext) }),
	),
	cacheTo: listOf(fields({ type: oneOf("registry", "local", "inline"), attributes: mapOf(isText) })),
	network: isText,
	extraHosts: listOf(isText),
	limits: fields({
		memoryBytes: optional(isWhole),
		memorySwapBytes: optional(isWhole),
		cpuShares: optional(isWhole),
		cpuPeriod: optional(isWhole),
		cpuQuota: optional(isWhole),
		cpusetCpus: optional(isText),
		cpusetMems: optional(isText),
		shmSizeBytes: optional(isWhole),
		ulimits: optional(listOf(fields({ Name: isText, Soft: isWhole, Hard: isWhole }))),
		cgroupParent: optional(isText),
	}),
	outputs: listOf(fields({ type: oneOf("image", "local", "tar", "oci", "docker"), attributes: mapOf(isText) })),
	annotations: listOf(
		fields({
			level: oneOf("manifest", "index", "manifest-descriptor", "index-descriptor"),
			key: isText,
			value: isText,
		}),
	),
	attestations: fields({
		provenance: optional(fields({ mode: oneOf("min", "max") })),
		sbom: optional(fields({ generator: isText })),
	}),
	squash: isFlag,
	allow: listOf(isText),
	sourceDateEpoch: optional(isWhole),
};

/** @throws InvalidParameterError naming the field that is not what it must be */
export function parseBuildCall(value: unknown): BuildCall {
	if (!isObject(value) || value["method"] !== "build")
		throw new InvalidParameterError("unexpected stream in a build session");
	for (const [name, check] of Object.entries(SHAPE))
		if (!check(value[name])) throw new InvalidParameterError(`invalid build request: ${name}`);
	return value as unknown as BuildCall;
}
