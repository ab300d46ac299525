import type { GcRequest, PinsResponse } from "../../api/engine/gc.ts";
import { type ApiRequest, parameter, requireJson } from "../api-request.ts";
import type { Backends } from "../backends.ts";
import { GC_REQUEST_SHAPE } from "../body-shapes.ts";
import { json } from "../http/reply.ts";
import type { Route } from "../router.ts";

/** The disk budget and what is excepted from it: additions to Docker's API. */
export function gcRoutes({ gc, pins }: Backends): Route[] {
	const name = (request: ApiRequest) => parameter(request, "name");
	const pinned = (names: string[]): PinsResponse => ({ Pins: names });
	return [
		{
			method: "POST",
			path: "/x-gantry/gc",
			handle: async (request) => json(await gc.collect(await requireJson<GcRequest>(request, GC_REQUEST_SHAPE))),
		},
		{ method: "GET", path: "/x-gantry/pins", handle: () => json(pinned(pins.list())) },
		{ method: "PUT", path: "/x-gantry/pins/{name...}", handle: (request) => json(pinned([pins.pin(name(request))])) },
		{
			method: "DELETE",
			path: "/x-gantry/pins/{name...}",
			handle: (request) => json(pinned([pins.unpin(name(request))])),
		},
	];
}
