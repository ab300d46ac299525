import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { type ApiRequest, parameter, requireJson } from "../api-request.ts";
import type { Backends, NetworkBackend } from "../backends.ts";
import {
	NETWORK_CONNECT_SHAPE,
	NETWORK_CREATE_SHAPE,
	NETWORK_DISCONNECT_SHAPE,
	type NetworkConnectRequest,
	type NetworkDisconnectRequest,
} from "../body-shapes.ts";
import { empty, json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";

export function networkRoutes({ networks }: Backends): Route[] {
	const list = async ({ query }: ApiRequest) => json(await networks.list(query.filters()));
	return [
		{ method: "GET", path: "/networks", handle: list },
		{ method: "GET", path: "/networks/", handle: list },
		{
			method: "POST",
			path: "/networks/create",
			handle: async (request) =>
				json(await networks.create(await requireJson<NetworkCreateRequest>(request, NETWORK_CREATE_SHAPE)), 201),
		},
		{
			method: "POST",
			path: "/networks/prune",
			handle: async ({ query }) => json(await networks.prune(query.filters())),
		},
		{
			method: "GET",
			path: "/networks/{name}",
			handle: async (request) => {
				const { query } = request;
				const options = { verbose: query.flag("verbose"), scope: query.text("scope") };
				return json(await networks.inspect(parameter(request, "name"), options));
			},
		},
		{ method: "POST", path: "/networks/{name}/connect", handle: (request) => connect(networks, request) },
		{ method: "POST", path: "/networks/{name}/disconnect", handle: (request) => disconnect(networks, request) },
		{
			method: "DELETE",
			path: "/networks/{name}",
			handle: async (request) => {
				await networks.remove(parameter(request, "name"));
				return empty(204);
			},
		},
	];
}

async function connect(networks: NetworkBackend, request: ApiRequest): Promise<Reply> {
	const body = await requireJson<NetworkConnectRequest>(request, NETWORK_CONNECT_SHAPE);
	await networks.connect(parameter(request, "name"), body.Container ?? "", body.EndpointConfig);
	return empty(200);
}

async function disconnect(networks: NetworkBackend, request: ApiRequest): Promise<Reply> {
	const body = await requireJson<NetworkDisconnectRequest>(request, NETWORK_DISCONNECT_SHAPE);
	await networks.disconnect(parameter(request, "name"), body.Container ?? "", body.Force ?? false);
	return empty(200);
}
