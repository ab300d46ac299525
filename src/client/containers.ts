import type {
	ContainerCreateRequest,
	ContainerCreateResponse,
	ContainerInspect,
	ContainerPruneResponse,
	ContainerStats,
	ContainerSummary,
	ContainerTopResponse,
	ContainerUpdateRequest,
	ContainerWaitResponse,
	FilesystemChange,
} from "../api/engine/container.ts";
import type { ExecCreateRequest, ExecInspect, ExecStartRequest } from "../api/engine/exec.ts";
import { type EngineClient, pathSegment } from "./engine-client.ts";
import type { Filters } from "./filters.ts";
import type { HttpResponse } from "./http-connection.ts";
import { jsonLines } from "./json-lines.ts";
import type { SocketChannel } from "./socket-channel.ts";

/** Containers and execs. Every call throws ApiError when the daemon refuses. `id` is an ID, a prefix of one, or a name. */
const at = (id: string, rest = "") => `/containers/${pathSegment(id)}${rest}`;

export function createContainer(
	client: EngineClient,
	request: ContainerCreateRequest,
	options: { name?: string; platform?: string } = {},
): Promise<ContainerCreateResponse> {
	const { name, platform } = options;
	return client.json("POST", "/containers/create", {
		json: request,
		query: { name: name || undefined, platform: platform || undefined },
	});
}

export interface ContainerListOptions {
	all?: boolean;
	limit?: number;
	size?: boolean;
	filters?: Filters;
}

export function listContainers(client: EngineClient, options: ContainerListOptions = {}): Promise<ContainerSummary[]> {
	const { all, limit, size, filters } = options;
	return client.json("GET", "/containers/json", { query: { all, limit, size, filters: filters?.toQuery() } });
}

export function inspectContainer(
	client: EngineClient,
	id: string,
	options: { size?: boolean } = {},
): Promise<ContainerInspect> {
	return client.json("GET", at(id, "/json"), { query: { size: options.size } });
}

export async function startContainer(
	client: EngineClient,
	id: string,
	options: { detachKeys?: string } = {},
): Promise<void> {
	await client.send("POST", at(id, "/start"), { query: { detachKeys: options.detachKeys }, accept: [304] });
}

export interface StopOptions {
	signal?: string | undefined;
	/** -1 waits for ever. */
	timeoutSeconds?: number | undefined;
}

export async function stopContainer(client: EngineClient, id: string, options: StopOptions = {}): Promise<void> {
	await client.send("POST", at(id, "/stop"), { query: { signal: options.signal, t: options.timeoutSeconds } });
}

export async function restartContainer(client: EngineClient, id: string, options: StopOptions = {}): Promise<void> {
	await client.send("POST", at(id, "/restart"), { query: { signal: options.signal, t: options.timeoutSeconds } });
}

export async function killContainer(client: EngineClient, id: string, signal?: string): Promise<void> {
	await client.send("POST", at(id, "/kill"), { query: { signal } });
}

export async function pauseContainer(client: EngineClient, id: string): Promise<void> {
	await client.send("POST", at(id, "/pause"));
}

export async function unpauseContainer(client: EngineClient, id: string): Promise<void> {
	await client.send("POST", at(id, "/unpause"));
}

export async function renameContainer(client: EngineClient, id: string, name: string): Promise<void> {
	await client.send("POST", at(id, "/rename"), { query: { name } });
}

export async function removeContainer(
	client: EngineClient,
	id: string,
	options: { volumes?: boolean; link?: boolean; force?: boolean } = {},
): Promise<void> {
	const { volumes, link, force } = options;
	await client.send("DELETE", at(id), { query: { v: volumes, link, force } });
}

export function updateContainer(
	client: EngineClient,
	id: string,
	request: ContainerUpdateRequest,
): Promise<{ Warnings: string[] | null }> {
	return client.json("POST", at(id, "/update"), { json: request });
}

export type WaitCondition = "not-running" | "next-exit" | "removed";

/**
 * Resolves when the daemon has taken note of the waiting (what happens from then on is not missed); `result` when it is over.
 * It is wrapped, as a promise would be awaited together with the function's own.
 */
export async function waitContainer(
	client: EngineClient,
	id: string,
	condition: WaitCondition = "not-running",
): Promise<{ result: Promise<ContainerWaitResponse> }> {
	const response = await client.request("POST", at(id, "/wait"), { query: { condition } });
	const result = response.json<ContainerWaitResponse>();
	result.catch(() => {}); // whoever awaits it sees the error
	return { result };
}

export interface AttachOptions {
	stream?: boolean;
	stdin?: boolean;
	stdout?: boolean;
	stderr?: boolean;
	logs?: boolean;
	detachKeys?: string | undefined;
}

export function attachContainer(client: EngineClient, id: string, options: AttachOptions): Promise<SocketChannel> {
	const { stream, stdin, stdout, stderr, logs, detachKeys } = options;
	return client.hijack(at(id, "/attach"), {
		query: { stream, stdin, stdout, stderr, logs, detachKeys: detachKeys || undefined },
	});
}

export async function resizeContainer(client: EngineClient, id: string, rows: number, columns: number): Promise<void> {
	await client.send("POST", at(id, "/resize"), { query: { h: rows, w: columns } });
}

export interface LogOptions {
	stdout?: boolean;
	stderr?: boolean;
	follow?: boolean;
	timestamps?: boolean;
	details?: boolean;
	/** Seconds since the epoch, with up to nine decimals. */
	since?: string | undefined;
	until?: string | undefined;
	tail?: string | undefined;
}

/** Framed records, or plain bytes when the container has a terminal. */
export function containerLogs(client: EngineClient, id: string, options: LogOptions): Promise<HttpResponse> {
	return client.request("GET", at(id, "/logs"), { query: { ...options } });
}

export function containerTop(client: EngineClient, id: string, psArguments: string): Promise<ContainerTopResponse> {
	return client.json("GET", at(id, "/top"), { query: { ps_args: psArguments === "" ? undefined : psArguments } });
}

export async function* containerStats(
	client: EngineClient,
	id: string,
	options: { stream: boolean; oneShot?: boolean },
): AsyncGenerator<ContainerStats> {
	const query = { stream: options.stream ? "1" : "0", "one-shot": options.oneShot };
	yield* jsonLines<ContainerStats>(await client.request("GET", at(id, "/stats"), { query }));
}

export async function containerChanges(client: EngineClient, id: string): Promise<FilesystemChange[]> {
	return (await client.json<FilesystemChange[] | null>("GET", at(id, "/changes"))) ?? [];
}

/** A tar archive of the whole file system. */
export function exportContainer(client: EngineClient, id: string): Promise<HttpResponse> {
	return client.request("GET", at(id, "/export"));
}

export function pruneContainers(client: EngineClient, filters?: Filters): Promise<ContainerPruneResponse> {
	return client.json("POST", "/containers/prune", { query: { filters: filters?.toQuery() } });
}

export function createExec(
	client: EngineClient,
	containerId: string,
	request: ExecCreateRequest,
): Promise<{ Id: string }> {
	return client.json("POST", at(containerId, "/exec"), { json: request });
}

export async function startExecDetached(
	client: EngineClient,
	execId: string,
	request: ExecStartRequest,
): Promise<void> {
	await client.send("POST", `/exec/${pathSegment(execId)}/start`, { json: { ...request, Detach: true } });
}

export function startExec(client: EngineClient, execId: string, request: ExecStartRequest): Promise<SocketChannel> {
	return client.hijack(`/exec/${pathSegment(execId)}/start`, { json: request });
}

export function inspectExec(client: EngineClient, execId: string): Promise<ExecInspect> {
	return client.json("GET", `/exec/${pathSegment(execId)}/json`);
}

export async function resizeExec(client: EngineClient, execId: string, rows: number, columns: number): Promise<void> {
	await client.send("POST", `/exec/${pathSegment(execId)}/resize`, { query: { h: rows, w: columns } });
}
