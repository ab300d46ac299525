import type { ContainerConfig, ContainerPathStat } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { PathStat } from "../../core/diff/archiver.ts";
import { type ApiRequest, parameter, readJson } from "../api-request.ts";
import type { Backends, ContainerFilesBackend, ImageBackend } from "../backends.ts";
import { CONTAINER_CONFIG_SHAPE } from "../body-shapes.ts";
import { empty, json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";

export function containerFilesRoutes({ files, images }: Backends): Route[] {
	return [
		{
			method: "HEAD",
			path: "/containers/{name...}/archive",
			handle: async (request) => {
				const stat = await files.stat(parameter(request, "name"), archivePath(request));
				return empty(200, { "X-Docker-Container-Path-Stat": encodePathStat(stat) });
			},
		},
		{ method: "GET", path: "/containers/{name...}/archive", handle: (request) => readArchive(files, request) },
		{ method: "PUT", path: "/containers/{name...}/archive", handle: (request) => writeArchive(files, request) },
		{
			method: "GET",
			path: "/containers/{name...}/export",
			handle: async (request) => {
				const stream = await files.export(parameter(request, "name"));
				return { kind: "stream", contentType: "application/octet-stream", stream };
			},
		},
		{
			method: "GET",
			path: "/containers/{name...}/changes",
			handle: async (request) => {
				const changes = await files.changes(parameter(request, "name"));
				// The reference has nothing, not an empty list, for an unchanged container.
				return json(changes.length === 0 ? null : changes);
			},
		},
		{ method: "POST", path: "/commit", handle: (request) => commit(images, request) },
	];
}

function archivePath({ query }: ApiRequest): string {
	const path = query.text("path");
	// The missing blank is the reference's own.
	if (path === "") throw new InvalidParameterError("bad parameter: pathcannot be empty");
	return path;
}

/** The stat header's value: base64 of JSON. */
export function encodePathStat(stat: PathStat): string {
	const value: ContainerPathStat = {
		name: stat.name,
		size: stat.sizeBytes,
		mode: stat.mode,
		mtime: new Date(stat.modifiedAt).toISOString().replace(/\.000Z$/, "Z"),
		linkTarget: stat.linkTarget,
	};
	return Buffer.from(JSON.stringify(value)).toString("base64");
}

async function readArchive(files: ContainerFilesBackend, request: ApiRequest): Promise<Reply> {
	const { stat, tar } = await files.read(parameter(request, "name"), archivePath(request));
	return {
		kind: "stream",
		contentType: "application/x-tar",
		stream: tar,
		headers: { "X-Docker-Container-Path-Stat": encodePathStat(stat) },
	};
}

async function writeArchive(files: ContainerFilesBackend, request: ApiRequest): Promise<Reply> {
	const path = archivePath(request);
	await files.write(parameter(request, "name"), path, request.body.stream(), {
		noOverwriteDirNonDir: request.query.flag("noOverwriteDirNonDir"),
		copyUidGid: request.query.flag("copyUIDGID"),
	});
	return empty(200);
}

async function commit(images: ImageBackend, request: ApiRequest): Promise<Reply> {
	const { query } = request;
	const container = query.text("container");
	if (container === "") throw new InvalidParameterError('invalid name or ID supplied: ""');
	const isEmptyBody = !request.body.isPresent;
	const config = isEmptyBody ? undefined : await readJson<ContainerConfig>(request, CONTAINER_CONFIG_SHAPE);
	const result = await images.commit({
		container,
		repository: query.text("repo"),
		tag: query.text("tag"),
		comment: query.text("comment"),
		author: query.text("author"),
		pause: query.text("pause") === "" || query.flag("pause"),
		changes: query.list("changes"),
		config,
	});
	return json(result, 201);
}
