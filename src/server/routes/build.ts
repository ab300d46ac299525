/** The builder's endpoints: the classic API's, and requests for BuildKit. */
import type { Ulimit } from "../../api/engine/container.ts";
import { atLeast } from "../../api/engine/version.ts";
import type { Platform } from "../../api/oci/image.ts";
import { InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import type { BuildLimits, BuildRequest, BuildSession } from "../../core/build/request.ts";
import { parsePlatform } from "../../core/image/platform.ts";
import { credentialsOf } from "../../core/remotes/registry-auth.ts";
import type { RegistryCredentials } from "../../core/remotes/remote.ts";
import type { ApiRequest } from "../api-request.ts";
import type { Backends, BuildBackend } from "../backends.ts";
import { empty, json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";
import { jsonOf } from "./query-json.ts";

const CONFIG_LIMIT_BYTES = 1 << 20;

export function buildRoutes(backends: Backends): Route[] {
	const { builds } = backends;
	return [
		{ method: "POST", path: "/build", handle: (request) => build(backends, request) },
		{ method: "POST", path: "/build/prune", handle: async (request) => json(await prune(builds, request)) },
		{
			method: "POST",
			path: "/build/cancel",
			handle: ({ query }) => {
				if (query.text("id") === "") throw new InvalidParameterError("build ID not provided");
				builds.cancel(query.text("id"));
				return empty(204);
			},
		},
	];
}

async function build({ builds, buildKit }: Pick<Backends, "builds" | "buildKit">, request: ApiRequest): Promise<Reply> {
	const { query, signal } = request;
	if (query.text("version") === "2") {
		const { buildByRequest } = await import("./build-by-request.ts");
		return await buildByRequest(await buildKit(), request);
	}
	const isolation = query.text("isolation");
	if (isolation !== "" && isolation !== "default")
		throw new InvalidParameterError(`unsupported isolation: "${isolation}"`);
	const outputs = query.text("outputs");
	if (outputs !== "" && outputs !== "[]" && outputs !== "null")
		throw new NotImplementedError("outputs of the classic builder are not supported");
	const remote = query.text("remote");
	const items = builds.build(
		{
			source:
				remote === "" || remote === "client-session"
					? { kind: "archive", archive: request.body.stream() }
					: { kind: "remote", url: remote },
			request: requestOf(request),
			cacheFrom: jsonOf<string[]>("cachefrom", query.text("cachefrom"), []),
			quiet: query.flag("q"),
			removesContainers: query.flag("rm", atLeast(request.version, 12)) || query.flag("forcerm"),
		},
		signal,
	);
	return { kind: "lines", items, headersAtOnce: false, errorsInBand: true, separator: "\r\n" };
}

/** @throws InvalidParameterError for what cannot be read */
function requestOf(request: ApiRequest): Omit<BuildRequest, "context"> {
	const { query } = request;
	const platform = query.text("platform");
	return {
		id: query.text("buildid"),
		dockerfile: { kind: "context", path: query.text("dockerfile") || "Dockerfile" },
		namedContexts: new Map(),
		target: query.text("target"),
		buildArgs: buildArgs(query.text("buildargs")),
		labels: new Map(Object.entries(jsonOf<Record<string, string>>("labels", query.text("labels"), {}))),
		tags: query.list("t").filter((tag) => tag !== ""),
		platforms: platform === "" ? [] : [platformOf(platform)],
		noCache: query.flag("nocache") ? "all" : [],
		pull: query.flag("pull"),
		cacheFrom: [],
		cacheTo: [],
		network: query.text("networkmode") || "default",
		extraHosts: query
			.list("extrahosts")
			.flatMap((text) => text.split(","))
			.filter((host) => host !== ""),
		limits: limitsOf(request),
		outputs: [{ type: "image", attributes: {} }],
		annotations: [],
		attestations: {},
		sourceDateEpoch: undefined,
		squash: query.flag("squash"),
		allow: new Set(),
		session: new HeaderSession(request.headers.get("x-registry-config")),
	};
}

function platformOf(text: string): Platform {
	return parsePlatform(text);
}

/** `null` as a value: what the environment of the client would have had, which is nothing. */
function buildArgs(text: string): Map<string, string> {
	const values = jsonOf<Record<string, string | null>>("buildargs", text, {});
	return new Map(Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])));
}

function limitsOf({ query }: ApiRequest): BuildLimits {
	const number = (name: string) => query.integer(name) ?? 0;
	const optional = <K extends keyof BuildLimits>(key: K, value: BuildLimits[K] | 0 | "") =>
		value === 0 || value === "" ? {} : { [key]: value };
	const ulimits = jsonOf<Ulimit[]>("ulimits", query.text("ulimits"), []);
	return {
		...optional("memoryBytes", number("memory")),
		...optional("memorySwapBytes", number("memswap")),
		...optional("cpuShares", number("cpushares")),
		...optional("cpuPeriod", number("cpuperiod")),
		...optional("cpuQuota", number("cpuquota")),
		...optional("cpusetCpus", query.text("cpusetcpus")),
		...optional("cpusetMems", query.text("cpusetmems")),
		...optional("shmSizeBytes", number("shmsize")),
		...optional("cgroupParent", query.text("cgroupparent")),
		...(ulimits.length === 0 ? {} : { ulimits }),
	};
}

/** Of a client that sends a request and nothing else: credentials come in a header, and there are no secrets. */
class HeaderSession implements BuildSession {
	readonly #credentials = new Map<string, RegistryCredentials>();

	/** @param header `X-Registry-Config`: credentials by registry, in JSON and base64. What cannot be read counts as none. */
	constructor(header: string | undefined) {
		if (header === undefined || header.length > CONFIG_LIMIT_BYTES) return;
		try {
			const value: unknown = JSON.parse(Buffer.from(header, "base64").toString("utf8"));
			for (const [server, fields] of Object.entries((value ?? {}) as Record<string, unknown>)) {
				const credentials = credentialsOf(fields);
				if (credentials !== undefined) this.#credentials.set(domainOf(server), credentials);
			}
		} catch (error) {
			if (!(error instanceof SyntaxError)) throw error;
		}
	}

	async secret(): Promise<undefined> {
		return undefined;
	}

	async hasSsh(): Promise<boolean> {
		return false;
	}

	async openSsh(): Promise<never> {
		throw new InvalidParameterError("the classic builder has no ssh agents");
	}

	async credentials(host: string): Promise<RegistryCredentials | undefined> {
		return this.#credentials.get(host);
	}

	async output(): Promise<never> {
		throw new NotImplementedError("the classic builder has no outputs but images");
	}
}

/** `https://index.docker.io/v1/` is Docker Hub. */
function domainOf(server: string): string {
	const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
	return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

async function prune(
	builds: BuildBackend,
	{ query }: ApiRequest,
): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }> {
	const bytes = (name: string) => Math.max(query.integer(name) ?? 0, 0);
	const { ids, freedBytes } = await builds.prune({
		all: query.flag("all"),
		filters: query.filters(),
		reservedBytes: query.has("reserved-space") ? bytes("reserved-space") : bytes("keep-storage"),
		maxUsedBytes: bytes("max-used-space"),
		minFreeBytes: bytes("min-free-space"),
	});
	return { CachesDeleted: ids.length === 0 ? null : [...ids], SpaceReclaimed: freedBytes };
}
