import type { ExecCreateRequest, ExecStartRequest } from "../../api/engine/exec.ts";
import { ConflictError, InvalidParameterError } from "../../base/errors.ts";
import { type ApiRequest, parameter, readJson, requireJson } from "../api-request.ts";
import type { Backends, ExecBackend } from "../backends.ts";
import { EXEC_CREATE_SHAPE, EXEC_START_SHAPE } from "../body-shapes.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import { empty, json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";
import { terminalSize } from "./container.ts";
import { RAW_STREAM, streamType } from "./container-stream.ts";

export function execRoutes({ execs }: Backends): Route[] {
	return [
		{ method: "POST", path: "/containers/{name...}/exec", handle: (request) => create(execs, request) },
		{ method: "POST", path: "/exec/{id}/start", handle: (request) => start(execs, request) },
		{
			method: "POST",
			path: "/exec/{id}/resize",
			handle: async (request) => {
				const { width, height } = terminalSize(request);
				await execs.resize(parameter(request, "id"), width, height);
				return empty(200);
			},
		},
		{
			method: "GET",
			path: "/exec/{id}/json",
			handle: async (request) => json(await execs.inspect(parameter(request, "id"))),
		},
	];
}

async function create(execs: ExecBackend, request: ApiRequest): Promise<Reply> {
	const body = await requireJson<ExecCreateRequest>(request, EXEC_CREATE_SHAPE);
	if ((body.Cmd ?? []).length === 0) throw new InvalidParameterError("No exec command specified");
	parseDetachKeys(body.DetachKeys ?? "");
	return json(await execs.create(parameter(request, "name"), body), 201);
}

async function start(execs: ExecBackend, request: ApiRequest): Promise<Reply> {
	const id = parameter(request, "id");
	const body = (await readJson<ExecStartRequest>(request, EXEC_START_SHAPE)) ?? {};
	// Unknown execs are refused before the connection is taken over.
	const { DetachKeys } = await execs.inspect(id);
	const upgrade = request.headers.has("upgrade");
	const contentType = upgrade ? streamType(request, body.Tty === true) : RAW_STREAM;
	const starting = execs.start(id, body);
	// What is refused at once is a plain error; the rest is told in the stream, whose head clients want before any output.
	await Promise.race([starting, Promise.resolve()]);
	if (body.Detach === true) {
		await starting;
		return empty(200);
	}
	const session = starting.then((opened) => opened ?? Promise.reject(new ConflictError(`exec ${id} has no session`)));
	session.catch(() => {});
	return {
		kind: "hijack",
		session,
		contentType,
		framing: body.Tty === true ? "raw" : "multiplexed",
		detachKeys: parseDetachKeys(DetachKeys),
	};
}
