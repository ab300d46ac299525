import type { VolumeCreateRequest } from "../../api/engine/volume.ts";
import { UnavailableError } from "../../base/errors.ts";
import { parameter, readJson } from "../api-request.ts";
import type { Backends } from "../backends.ts";
import { VOLUME_CREATE_SHAPE } from "../body-shapes.ts";
import { empty, json } from "../http/reply.ts";
import type { Route } from "../router.ts";
import { NOT_A_MANAGER } from "./swarm.ts";

export function volumeRoutes({ volumes }: Backends): Route[] {
	return [
		{ method: "GET", path: "/volumes", handle: async ({ query }) => json(await volumes.list(query.filters())) },
		{
			method: "POST",
			path: "/volumes/create",
			handle: async (request) => {
				const body = (await readJson<VolumeCreateRequest>(request, VOLUME_CREATE_SHAPE)) ?? {};
				return json(await volumes.create(body), 201);
			},
		},
		{
			method: "POST",
			path: "/volumes/prune",
			handle: async ({ query }) => json(await volumes.prune(query.filters())),
		},
		{
			method: "GET",
			path: "/volumes/{name}",
			handle: async (request) => json(await volumes.inspect(parameter(request, "name"))),
		},
		{
			method: "PUT",
			path: "/volumes/{name}",
			handle: () => {
				// Only cluster volumes can be changed.
				throw new UnavailableError(NOT_A_MANAGER);
			},
		},
		{
			method: "DELETE",
			path: "/volumes/{name}",
			handle: async (request) => {
				await volumes.remove(parameter(request, "name"), { force: request.query.flag("force") });
				return empty(204);
			},
		},
	];
}
