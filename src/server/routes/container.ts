import type { ContainerCreateRequest, ContainerUpdateRequest } from "../../api/engine/container.ts";
import { atLeast } from "../../api/engine/version.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { type ApiRequest, parameter, readJson, requireJson } from "../api-request.ts";
import type { Backends, ContainerLifecycleBackend } from "../backends.ts";
import { CONTAINER_CREATE_SHAPE, CONTAINER_UPDATE_SHAPE } from "../body-shapes.ts";
import { empty, json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";

/** Lifecycle and views; streams are in `container-stream.ts`, files in `container-files.ts`. */
export function containerRoutes({ containers, views, streams }: Backends): Route[] {
	return [
		{ method: "GET", path: "/containers/json", handle: (request) => list(views, request) },
		{ method: "POST", path: "/containers/create", handle: (request) => create(containers, request) },
		{
			method: "POST",
			path: "/containers/prune",
			handle: async ({ query }) => json(await containers.prune(query.filters())),
		},
		{
			method: "GET",
			path: "/containers/{name...}/json",
			handle: async (request) => {
				const options = { size: request.query.flag("size"), version: request.version };
				return json(await views.inspect(parameter(request, "name"), options));
			},
		},
		{
			method: "GET",
			path: "/containers/{name...}/top",
			handle: async (request) => json(await streams.top(parameter(request, "name"), request.query.text("ps_args"))),
		},
		{ method: "POST", path: "/containers/{name...}/start", handle: (request) => start(containers, request) },
		{
			method: "POST",
			path: "/containers/{name...}/stop",
			handle: (request) => act(containers.stop(parameter(request, "name"), stopOptions(request))),
		},
		{
			method: "POST",
			path: "/containers/{name...}/restart",
			handle: (request) => act(containers.restart(parameter(request, "name"), stopOptions(request))),
		},
		{
			method: "POST",
			path: "/containers/{name...}/kill",
			handle: (request) => act(containers.kill(parameter(request, "name"), request.query.text("signal"))),
		},
		{
			method: "POST",
			path: "/containers/{name...}/pause",
			handle: (request) => act(containers.pause(parameter(request, "name"))),
		},
		{
			method: "POST",
			path: "/containers/{name...}/unpause",
			handle: (request) => act(containers.unpause(parameter(request, "name"))),
		},
		{ method: "POST", path: "/containers/{name...}/rename", handle: (request) => rename(containers, request) },
		{ method: "POST", path: "/containers/{name...}/update", handle: (request) => update(containers, request) },
		{ method: "POST", path: "/containers/{name...}/resize", handle: (request) => resize(containers, request) },
		{ method: "POST", path: "/containers/{name...}/wait", handle: (request) => wait(containers, request) },
		{ method: "DELETE", path: "/containers/{name...}", handle: (request) => remove(containers, request) },
	];
}

async function act(work: Promise<void>): Promise<Reply> {
	await work;
	return empty(204);
}

async function list(views: Backends["views"], { query, version }: ApiRequest): Promise<Reply> {
	const limit = query.integer("limit") ?? 0;
	const options = { all: query.flag("all"), limit, size: query.flag("size"), filters: query.filters(), version };
	return json(await views.list(options));
}

async function create(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	const body = await requireJson<ContainerCreateRequest>(request, CONTAINER_CREATE_SHAPE);
	const options = {
		name: request.query.text("name"),
		platform: request.query.text("platform"),
		version: request.version,
	};
	return json(await containers.create(body, options), 201);
}

async function start(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	// Before API 1.24 a host configuration could be sent along; one too short to be that is let pass.
	if (request.body.isPresent) {
		const size = Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
		if (size > 7)
			throw new InvalidParameterError(
				"starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
			);
		await request.body.bytes(7);
	}
	await containers.start(parameter(request, "name"));
	return empty(204);
}

function stopOptions({ query, version }: ApiRequest): { readonly signal?: string; readonly timeoutSeconds?: number } {
	const timeoutSeconds = query.integer("t");
	const signal = atLeast(version, 42) ? query.text("signal") : "";
	return { ...(signal === "" ? {} : { signal }), ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) };
}

async function rename(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	await containers.rename(parameter(request, "name"), request.query.text("name"));
	return empty(204);
}

async function update(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	const body = (await readJson<ContainerUpdateRequest>(request, CONTAINER_UPDATE_SHAPE)) ?? {};
	return json(await containers.update(parameter(request, "name"), body));
}

async function resize(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	const { width, height } = terminalSize(request);
	await containers.resize(parameter(request, "name"), width, height);
	return empty(200);
}

/** @throws InvalidParameterError */
export function terminalSize({ query }: ApiRequest): { readonly width: number; readonly height: number } {
	return { height: dimension("height", query.text("h")), width: dimension("width", query.text("w")) };
}

function dimension(name: string, text: string): number {
	if (!/^\d{1,9}$/.test(text)) throw new InvalidParameterError(`invalid resize ${name} "${text}": invalid syntax`);
	return Math.min(Number(text), 65_535);
}

const WAIT_CONDITIONS = {
	"": "not-running",
	"not-running": "not-running",
	"next-exit": "next-exit",
	removed: "removed",
} as const;

async function wait(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	const hasCondition = atLeast(request.version, 30);
	const text = hasCondition ? request.query.text("condition") : "";
	if (!Object.hasOwn(WAIT_CONDITIONS, text)) throw new InvalidParameterError(`invalid condition: "${text}"`);
	const condition = WAIT_CONDITIONS[text as keyof typeof WAIT_CONDITIONS];
	const { result } = await containers.wait(parameter(request, "name"), condition, request.signal);
	return hasCondition ? { kind: "deferred", result } : json(await result);
}

async function remove(containers: ContainerLifecycleBackend, request: ApiRequest): Promise<Reply> {
	const { query } = request;
	const options = { force: query.flag("force"), volumes: query.flag("v"), link: query.flag("link") };
	await containers.remove(parameter(request, "name"), options);
	return empty(204);
}
