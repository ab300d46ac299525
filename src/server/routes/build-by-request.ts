/** `POST /build?version=2`: BuildKit for clients that have a session and no calls, as Docker's were before version 23. */
import type { Readable } from "node:stream";
import { InvalidParameterError } from "../../base/errors.ts";
import type { RequestBuild } from "../../engine/build/buildkit/request-builds.ts";
import type { ApiRequest } from "../api-request.ts";
import type { BuildKitBackend } from "../backends.ts";
import { empty, type Reply } from "../http/reply.ts";
import { jsonOf } from "./query-json.ts";

const UPLOAD_PREFIX = "upload-request:";
/** What a context in a request's body is called. */
const BODY_URL = "http://buildkit-session/body";

export async function buildByRequest(backend: BuildKitBackend, request: ApiRequest): Promise<Reply> {
	const id = request.query.text("buildid");
	if (id.startsWith(UPLOAD_PREFIX)) {
		await backend.upload(id.slice(UPLOAD_PREFIX.length), request.body.stream());
		return empty(200);
	}
	const items = backend.buildByRequest(requestOf(id, request), request.signal);
	return { kind: "lines", items, headersAtOnce: true, errorsInBand: true, separator: "\r\n" };
}

/** @throws InvalidParameterError for what cannot be read */
function requestOf(id: string, { query, body }: ApiRequest): RequestBuild {
	const remote = query.text("remote");
	const isBody = remote === "" || remote === "upload-request";
	const context: Readable | "upload" | undefined = remote === "" ? body.stream() : isBody ? "upload" : undefined;
	const options = new Map<string, string>();
	const set = (key: string, value: string) => {
		if (value !== "") options.set(key, value);
	};
	set("target", query.text("target"));
	set("filename", query.text("dockerfile"));
	set("context", isBody ? BODY_URL : remote === "client-session" ? "" : remote);
	set("cache-from", jsonOf<string[]>("cachefrom", query.text("cachefrom"), []).join(","));
	if (query.flag("nocache")) options.set("no-cache", "");
	set("image-resolve-mode", query.flag("pull") ? "pull" : "local");
	set("platform", query.text("platform"));
	set("shm-size", query.integer("shmsize") ? query.text("shmsize") : "");
	set("cgroup-parent", query.text("cgroupparent"));
	const network = query.text("networkmode");
	if (network === "host" || network === "none") options.set("force-network-mode", network);
	else if (network !== "" && network !== "default")
		throw new InvalidParameterError(`network mode "${network}" not supported by buildkit`);
	const hosts = query.list("extrahosts").flatMap((text) => text.split(","));
	set("add-hosts", hosts.map((host) => host.replace(/[:=]/, "=")).join(","));
	const ulimits = jsonOf<{ Name: string; Soft: number; Hard: number }[]>("ulimits", query.text("ulimits"), []);
	set("ulimit", ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`).join(","));
	const buildArgs = jsonOf<Record<string, string | null>>("buildargs", query.text("buildargs"), {});
	for (const [name, value] of Object.entries(buildArgs)) if (value !== null) options.set(`build-arg:${name}`, value);
	const labels = jsonOf<Record<string, string>>("labels", query.text("labels"), {});
	for (const [name, value] of Object.entries(labels)) options.set(`label:${name}`, value);
	return {
		id,
		context,
		isQuiet: query.flag("q"),
		session: query.text("session"),
		frontend: "dockerfile.v0",
		options,
		inputs: new Map(),
		definition: undefined,
		exporters: exporters(query.text("outputs"), query.list("t")),
		cacheExports: [],
		entitlements: network === "host" ? ["network.host"] : [],
	};
}

/** @throws InvalidParameterError */
function exporters(json: string, tags: readonly string[]): RequestBuild["exporters"] {
	const outputs = jsonOf<{ Type: string; Attrs?: Record<string, string> | null }[]>("outputs", json, []);
	if (outputs.length > 1) throw new InvalidParameterError("multiple outputs not supported");
	const [{ Type: type, Attrs: attributes } = { Type: "moby" }] = outputs;
	if (type === "cacheonly") return [];
	const attrs = new Map(Object.entries(attributes ?? {}));
	const names = tags.filter((tag) => tag !== "");
	if ((type === "moby" || type === "image") && names.length > 0) attrs.set("name", names.join(","));
	return [{ type, attrs }];
}
