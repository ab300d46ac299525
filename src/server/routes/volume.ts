import type { VolumeCreateRequest } from "../../api/engine/volume.ts";
import { UnavailableError } from "../../base/errors.ts";
import { parameter, readJson } from "../api-request.ts";
import type { Backends, VolumeCopyBackend } from "../backends.ts";
import { VOLUME_CREATE_SHAPE } from "../body-shapes.ts";
import { empty, json } from "../http/reply.ts";
import type { Route } from "../router.ts";

export function volumeRoutes({ volumes, volumeCopies }: Backends): Route[] {
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
				throw new UnavailableError("volume update only valid for cluster volumes, but swarm is unavailable");
			},
		},
		...copyRoutes(volumeCopies),
		{
			method: "POST",
			path: "/volumes/{name}/rename",
			handle: async (request) => {
				await volumes.rename(parameter(request, "name"), request.query.text("name"));
				return empty(204);
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

function copyRoutes(copies: VolumeCopyBackend): Route[] {
	return [
		{
			method: "POST",
			path: "/volumes/{name}/clone",
			handle: (request) => {
				const options = { newName: request.query.text("name"), pause: request.query.flag("pause") };
				const items = copies.clone(parameter(request, "name"), options, request.signal);
				return { kind: "lines", items, headersAtOnce: false, errorsInBand: true, separator: "\r\n" };
			},
		},
		{
			method: "GET",
			path: "/volumes/{name}/export",
			handle: async (request) => {
				const stream = await copies.export(parameter(request, "name"), { pause: request.query.flag("pause") });
				return { kind: "stream", contentType: "application/x-tar", stream };
			},
		},
		{
			method: "POST",
			path: "/volumes/{name}/import",
			handle: async (request) => {
				const options = { merge: request.query.flag("merge") };
				return json(await copies.import(parameter(request, "name"), request.body.stream(), options), 201);
			},
		},
	];
}
