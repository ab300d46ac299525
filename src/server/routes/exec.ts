import { Duplex } from "node:stream";
import type { ExecCreateRequest, ExecStartRequest } from "../../api/engine/exec.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { TaskStartError } from "../../core/container/task-start-error.ts";
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
		{ method: "POST", path: "/containers/{name}/exec", handle: (request) => create(execs, request) },
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
	const { DetachKeys, ProcessConfig } = await execs.inspect(id);
	const upgrade = request.headers.has("upgrade");
	const contentType = upgrade ? streamType(request, body.Tty === true) : RAW_STREAM;
	try {
		const session = await execs.start(id, body);
		if (session === undefined) return empty(200);
		return { kind: "hijack", session, contentType, detachKeys: parseDetachKeys(DetachKeys) };
	} catch (error) {
		if (!(error instanceof TaskStartError) || body.Detach === true) throw error;
		// What the runtime says of a command that cannot run is output to clients; they read the exit code from inspect.
		return { kind: "hijack", session: messageSession(error.message, ProcessConfig.tty), contentType };
	}
}

/** A session that says one line on stdout and ends. */
function messageSession(message: string, terminal: boolean) {
	const text = Buffer.from(`${message}\r\n`);
	const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
	header.writeUInt32BE(text.length, 4);
	const stream = new Duplex({
		read() {},
		write: (_chunk, _encoding, done) => done(),
	});
	stream.push(terminal ? text : Buffer.concat([header, text]));
	stream.push(null);
	return { terminal, stream };
}
