import { atLeast } from "../../api/engine/version.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { LogsOptions } from "../../core/log/logs-options.ts";
import { type ApiRequest, parameter } from "../api-request.ts";
import type { Backends, ContainerStreamBackend } from "../backends.ts";
import { parseDetachKeys } from "../detach-keys.ts";
import type { Reply } from "../http/reply.ts";
import { checkWebSocketRequest } from "../http/websocket.ts";
import type { Route } from "../router.ts";
import { parseTimestampNs } from "../timestamps.ts";

export const RAW_STREAM = "application/vnd.docker.raw-stream";
export const MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream";

export function containerStreamRoutes({ streams, views }: Backends): Route[] {
	return [
		{ method: "POST", path: "/containers/{name...}/attach", handle: (request) => attach(streams, request) },
		{ method: "GET", path: "/containers/{name...}/attach/ws", handle: (request) => attachWebSocket(streams, request) },
		{ method: "GET", path: "/containers/{name...}/logs", handle: (request) => logs(streams, request) },
		{ method: "GET", path: "/containers/{name...}/stats", handle: (request) => stats({ streams, views }, request) },
	];
}

/** Since API 1.42 the type of a stream tells whether it has headers. */
export function streamType(request: ApiRequest, terminal: boolean): string {
	return !terminal && atLeast(request.version, 42) ? MULTIPLEXED_STREAM : RAW_STREAM;
}

async function attach(streams: ContainerStreamBackend, request: ApiRequest): Promise<Reply> {
	const detachKeys = parseDetachKeys(request.query.text("detachKeys"));
	const session = await openSession(streams, request);
	const upgrade = request.headers.has("upgrade");
	// A plain 200 always says raw, as it always did.
	const contentType = upgrade ? streamType(request, session.terminal) : RAW_STREAM;
	return { kind: "hijack", session: Promise.resolve(session), contentType, detachKeys };
}

async function attachWebSocket(streams: ContainerStreamBackend, request: ApiRequest): Promise<Reply> {
	parseDetachKeys(request.query.text("detachKeys"));
	checkWebSocketRequest(request.headers);
	return { kind: "websocket", session: await openSession(streams, request) };
}

function openSession(streams: ContainerStreamBackend, request: ApiRequest) {
	const { query } = request;
	const detachKeys = query.text("detachKeys");
	return streams.attach(parameter(request, "name"), {
		stdin: query.flag("stdin"),
		stdout: query.flag("stdout"),
		stderr: query.flag("stderr"),
		stream: query.flag("stream"),
		logs: query.flag("logs"),
		...(detachKeys === "" ? {} : { detachKeys }),
	});
}

async function logs(streams: ContainerStreamBackend, request: ApiRequest): Promise<Reply> {
	const { query } = request;
	const stdout = query.flag("stdout");
	const stderr = query.flag("stderr");
	if (!stdout && !stderr) throw new InvalidParameterError("Bad parameters: you must choose at least one stream");
	const tail = tailLines(query.text("tail"));
	const sinceNs = parseTimestampNs(query.text("since"));
	const untilNs = parseTimestampNs(query.text("until"));
	const options: LogsOptions = {
		stdout,
		stderr,
		follow: query.flag("follow"),
		timestamps: query.flag("timestamps"),
		details: query.flag("details"),
		...(tail === undefined ? {} : { tail }),
		...(sinceNs === undefined ? {} : { sinceNs }),
		...(untilNs === undefined ? {} : { untilNs }),
	};
	const { terminal, stream } = await streams.logs(parameter(request, "name"), options, request.signal);
	return { kind: "stream", contentType: streamType(request, terminal), stream };
}

/** Anything but a number of lines means all, as the reference has it. */
function tailLines(text: string): number | undefined {
	return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

async function stats({ streams, views }: Pick<Backends, "streams" | "views">, request: ApiRequest): Promise<Reply> {
	const { query } = request;
	const name = parameter(request, "name");
	const stream = query.flag("stream", true);
	const oneShot = atLeast(request.version, 41) && query.flag("one-shot");
	// Refuses an unknown container before anything else, and before the stream's head.
	views.isTerminal(name);
	if (stream && oneShot) throw new InvalidParameterError("cannot have stream=true and one-shot=true");
	const items = streams.stats(name, { stream, oneShot }, request.signal);
	return { kind: "lines", items, headersAtOnce: true, errorsInBand: false, separator: "\n" };
}
