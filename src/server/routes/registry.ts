import type { AuthConfig, IndexPushRequest, ManifestInspect } from "../../api/engine/registry.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { credentialsOf, parseRegistryAuth } from "../../core/remotes/registry-auth.ts";
import { type ApiRequest, parameter, requireJson } from "../api-request.ts";
import type { Backends, RegistryBackend } from "../backends.ts";
import { AUTH_CONFIG_SHAPE, PUSH_INDEX_SHAPE } from "../body-shapes.ts";
import { json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";

export function registryRoutes({ registries }: Backends): Route[] {
	return [
		{ method: "POST", path: "/auth", handle: (request) => login(registries, request) },
		{ method: "GET", path: "/images/search", handle: (request) => search(registries, request) },
		{
			method: "GET",
			path: "/distribution/{name...}/json",
			handle: async (request) =>
				json(await registries.distribution(parameter(request, "name"), credentialsIn(request), request.signal)),
		},
		{ method: "GET", path: "/x-gantry/manifests/{name...}", handle: (request) => manifest(registries, request) },
		{ method: "PUT", path: "/x-gantry/manifests/{name...}", handle: (request) => pushIndex(registries, request) },
	];
}

async function manifest(registries: RegistryBackend, request: ApiRequest): Promise<Reply> {
	const found = await registries.manifest(parameter(request, "name"), credentialsIn(request), request.signal);
	const { mediaType, digest, bytes } = found;
	const answer: ManifestInspect = { mediaType, digest, content: Buffer.from(bytes).toString("base64") };
	return json(answer);
}

async function pushIndex(registries: RegistryBackend, request: ApiRequest): Promise<Reply> {
	const { mediaType, content, sources = [] } = await requireJson<IndexPushRequest>(request, PUSH_INDEX_SHAPE);
	const index = { mediaType, bytes: Buffer.from(content, "base64"), sources };
	const digest = await registries.pushIndex(parameter(request, "name"), index, credentialsIn(request), request.signal);
	return json({ digest });
}

async function login(registries: RegistryBackend, request: ApiRequest): Promise<Reply> {
	const body = await requireJson<AuthConfig>(request, AUTH_CONFIG_SHAPE);
	return json(await registries.login(body.serveraddress ?? "", credentialsOf(body), request.signal));
}

async function search(registries: RegistryBackend, request: ApiRequest): Promise<Reply> {
	const { query, signal } = request;
	const limit = query.text("limit");
	if (!/^\d*$/.test(limit)) throw new InvalidParameterError(`invalid limit specified: ${limit}`);
	const options = {
		term: query.text("term"),
		limit: Number(limit),
		filters: query.filters(),
		credentials: credentialsIn(request),
	};
	return json(await registries.search(options, signal));
}

function credentialsIn({ headers }: ApiRequest) {
	return parseRegistryAuth(headers.get("x-registry-auth"));
}
