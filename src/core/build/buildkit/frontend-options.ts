/** What a BuildKit client asks of the Dockerfile's frontend, as the builder's own request. */
import { InvalidParameterError, NotImplementedError } from "../../../base/errors.ts";
import { parseBoolean } from "../../dockerfile/directives.ts";
import { parsePlatform } from "../../image/platform.ts";
import type { BuildLimits, BuildRequest } from "../request.ts";
import { cacheImports } from "./cache-options.ts";

export type FrontendOptions = ReadonlyMap<string, string>;

/** Where files come from. */
export type ContextOrigin =
	/** A directory that the session offers. */
	| { readonly kind: "local"; readonly name: string }
	/** An archive that the session sends, once. */
	| { readonly kind: "upload"; readonly id: string }
	| { readonly kind: "remote"; readonly url: string }
	/** The result of another build of the same client, by its name among the inputs. */
	| { readonly kind: "input"; readonly name: string };

export type NamedOrigin =
	| ContextOrigin
	| { readonly kind: "image"; readonly reference: string }
	/** An image in a store of the session. */
	| { readonly kind: "layout"; readonly store: string; readonly image: string };

export interface FrontendRequest {
	readonly context: ContextOrigin;
	/** The session's directory that has the Dockerfile; undefined: it lies in the context. */
	readonly dockerfileDirectory: string | undefined;
	readonly filename: string;
	readonly named: ReadonlyMap<string, NamedOrigin>;
	/** What is asked about the Dockerfile in place of building it: `frontend.outline`; empty: nothing. */
	readonly question: string;
	/** Provenance that is wanted only where an image is published with it. */
	readonly isProvenanceOptional: boolean;
	readonly request: Pick<
		BuildRequest,
		| "target"
		| "buildArgs"
		| "labels"
		| "platforms"
		| "noCache"
		| "pull"
		| "cacheFrom"
		| "network"
		| "extraHosts"
		| "limits"
		| "attestations"
		| "sourceDateEpoch"
	>;
}

const UPLOAD_URL = /^http:\/\/buildkit-session\/([^/?#]+)$/;
/** What a frontend may be asked to know, without `+forward`. */
const CAPABILITIES = new Set([
	"moby.buildkit.frontend.inputs",
	"moby.buildkit.frontend.subrequests",
	"moby.buildkit.frontend.contexts",
	"moby.buildkit.frontend.gitquerystring",
]);

/** @throws InvalidParameterError for values that are wrong, NotImplementedError for what is not there */
export function frontendRequest(options: FrontendOptions): FrontendRequest {
	const text = (key: string) => options.get(key) ?? "";
	for (const capability of list(text("frontend.caps")))
		if (!CAPABILITIES.has(capability.replace(/\+forward$/, "")))
			throw new NotImplementedError(`unsupported frontend capability ${capability}`);
	for (const key of options.keys())
		if (/^(?:devices?|override-copy-image)$/.test(key)) throw new NotImplementedError(`${key} is not supported`);
	const platforms = list(text("platform")).map(parsePlatform);
	const context = contextOrigin(text(text("contextkey") || "context"), text("contextsubdir"));
	const isLocal = context.kind === "local";
	const provenance = attestation(options, "provenance");
	const sbom = attestation(options, "sbom");
	const buildArgs = withPrefix(options, "build-arg:");
	const hostname = text("hostname");
	if (hostname !== "" && !buildArgs.has("BUILDKIT_SANDBOX_HOSTNAME"))
		buildArgs.set("BUILDKIT_SANDBOX_HOSTNAME", hostname);
	if (text("multi-platform") !== "" && platforms.length < 2 && parseBoolean(text("multi-platform")) === true)
		throw new NotImplementedError("multi-platform (an index for a single platform) is not supported yet");
	return {
		context,
		dockerfileDirectory: isLocal || options.has("dockerfilekey") ? text("dockerfilekey") || "dockerfile" : undefined,
		filename: text("filename") || "Dockerfile",
		named: namedOrigins(options),
		question: text("requestid"),
		isProvenanceOptional: provenance?.get("inline-only") === "true",
		request: {
			target: text("target"),
			buildArgs,
			labels: withPrefix(options, "label:"),
			platforms,
			noCache: options.has("no-cache") ? (text("no-cache") === "" ? "all" : list(text("no-cache"))) : [],
			pull: text("image-resolve-mode") === "pull",
			cacheFrom: cacheImports(text("cache-imports"), text("cache-from")),
			network: networkMode(text("force-network-mode")),
			extraHosts: list(text("add-hosts")).map(extraHost),
			limits: limits(options),
			attestations: {
				...(provenance === undefined ? {} : { provenance: { mode: provenanceMode(provenance.get("mode")) } }),
				...(sbom === undefined ? {} : { sbom: { generator: sbom.get("generator") ?? "" } }),
			},
			sourceDateEpoch: wholeNumber(buildArgs.get("SOURCE_DATE_EPOCH"), "SOURCE_DATE_EPOCH"),
		},
	};
}

function list(text: string): string[] {
	return text === "" ? [] : text.split(",");
}

function withPrefix(options: FrontendOptions, prefix: string): Map<string, string> {
	const found = new Map<string, string>();
	for (const [key, value] of options) if (key.startsWith(prefix)) found.set(key.slice(prefix.length), value);
	return found;
}

function contextOrigin(value: string, subdirectory: string): ContextOrigin {
	if (value === "") return { kind: "local", name: "context" };
	if (subdirectory !== "") throw new NotImplementedError("contextsubdir is not supported");
	const upload = UPLOAD_URL.exec(value)?.[1];
	return upload === undefined ? { kind: "remote", url: value } : { kind: "upload", id: upload };
}

const CONTEXT_PREFIX = "context:";

/** @throws InvalidParameterError, NotImplementedError */
function namedOrigins(options: FrontendOptions): Map<string, NamedOrigin> {
	const values = new Map<string, string>();
	for (const [key, value] of options) {
		if (!key.startsWith(CONTEXT_PREFIX)) continue;
		// A context for one platform of several goes by `name::platform`.
		const [name = ""] = key.slice(CONTEXT_PREFIX.length).split("::", 1);
		const other = values.get(name);
		if (other !== undefined && other !== value)
			throw new NotImplementedError(`a context of its own for each platform is not supported: ${name}`);
		values.set(name, value);
	}
	return new Map([...values].map(([name, value]) => [name, namedOrigin(name, value)]));
}

function namedOrigin(name: string, value: string): NamedOrigin {
	const [, scheme = "", rest = ""] = /^([\w+-]+):(?:\/\/)?(.*)$/s.exec(value) ?? [];
	switch (scheme) {
		case "docker-image":
			return { kind: "image", reference: rest };
		case "local":
			return { kind: "local", name: rest };
		case "input":
			return { kind: "input", name: value.slice("input:".length) };
		case "oci-layout": {
			const [, store, digest] = /^(.*?)(?::[^@]*)?@(.*)$/s.exec(rest) ?? [];
			if (store === undefined || digest === undefined)
				throw new InvalidParameterError(`oci-layout reference ${JSON.stringify(rest)} has no digest`);
			return { kind: "layout", store, image: digest };
		}
		case "git":
		case "ssh":
		case "http":
		case "https":
			return { kind: "remote", url: value };
		default:
			if (/^[\w.-]+@[\w.-]+:/.test(value)) return { kind: "remote", url: value };
			throw new InvalidParameterError(`invalid context specifier ${value} for ${name}`);
	}
}

/** `mode=min,inline-only=true`; undefined when it is not wanted. */
function attestation(options: FrontendOptions, type: string): ReadonlyMap<string, string> | undefined {
	const value = options.get(`attest:${type}`);
	if (value === undefined) return undefined;
	const fields = new Map(
		list(value).map((field) => {
			const equals = field.indexOf("=");
			return equals < 0 ? [field, ""] : [field.slice(0, equals), field.slice(equals + 1)];
		}),
	);
	const disabled = fields.get("disabled") ?? "false";
	return parseBoolean(disabled) === true ? undefined : fields;
}

function provenanceMode(mode = "max"): "min" | "max" {
	if (mode === "min" || mode === "max") return mode;
	throw new InvalidParameterError(`invalid provenance mode: ${mode}`);
}

function networkMode(mode: string): string {
	if (mode === "" || mode === "sandbox") return "default";
	if (mode === "host" || mode === "none") return mode;
	throw new InvalidParameterError(`invalid netmode ${mode}`);
}

/** `name=address`. */
function extraHost(field: string): string {
	const equals = field.indexOf("=");
	if (equals <= 0 || equals === field.length - 1) throw new InvalidParameterError(`invalid key-value pair ${field}`);
	return `${field.slice(0, equals)}:${field.slice(equals + 1)}`;
}

/** @throws InvalidParameterError */
function limits(options: FrontendOptions): BuildLimits {
	const number = (key: string) => wholeNumber(options.get(key), key);
	const ulimits = list(options.get("ulimit") ?? "").map(ulimit);
	const entries: [keyof BuildLimits, unknown][] = [
		["memoryBytes", number("memory")],
		["memorySwapBytes", number("memswap")],
		["cpuShares", number("cpushares")],
		["cpuPeriod", number("cpuperiod")],
		["cpuQuota", number("cpuquota")],
		["cpusetCpus", options.get("cpusetcpus")],
		["cpusetMems", options.get("cpusetmems")],
		["shmSizeBytes", number("shm-size")],
		["ulimits", ulimits.length === 0 ? undefined : ulimits],
		["cgroupParent", options.get("cgroup-parent")],
	];
	return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== ""));
}

function wholeNumber(text: string | undefined, what: string): number | undefined {
	if (text === undefined || text === "") return undefined;
	if (!/^-?\d{1,15}$/.test(text)) throw new InvalidParameterError(`invalid ${what}: ${text}`);
	return Number(text);
}

/** `nofile=1024:2048`. */
function ulimit(field: string): { Name: string; Soft: number; Hard: number } {
	const [, name, soft, hard] = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(field) ?? [];
	if (name === undefined || soft === undefined) throw new InvalidParameterError(`invalid ulimit argument: ${field}`);
	return { Name: name, Soft: Number(soft), Hard: Number(hard ?? soft) };
}
