import { Readable } from "node:stream";
import { atLeast } from "../../api/engine/version.ts";
import type { Platform } from "../../api/oci/image.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parsePlatformJson } from "../../core/image/platform.ts";
import { parseRegistryAuth } from "../../core/remotes/registry-auth.ts";
import { type ApiRequest, parameter } from "../api-request.ts";
import type { Backends, ImageBackend } from "../backends.ts";
import { empty, json, type Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";
import { openRemoteSource } from "./image-source.ts";

export function imageRoutes({ images }: Backends): Route[] {
	return [
		{ method: "GET", path: "/images/json", handle: (request) => list(images, request) },
		{ method: "GET", path: "/images/get", handle: (request) => save(images, request, request.query.list("names")) },
		{ method: "POST", path: "/images/create", handle: (request) => create(images, request) },
		{ method: "POST", path: "/images/load", handle: (request) => load(images, request) },
		{
			method: "POST",
			path: "/images/prune",
			handle: async ({ query }) => json(await images.prune(query.filters())),
		},
		{
			method: "GET",
			path: "/images/{name...}/get",
			handle: (request) => save(images, request, [parameter(request, "name")]),
		},
		{
			method: "GET",
			path: "/images/{name...}/history",
			handle: async (request) => json(await images.history(parameter(request, "name"), platformOf(request))),
		},
		{
			method: "GET",
			path: "/images/{name...}/json",
			handle: async (request) =>
				json(
					await images.inspect(parameter(request, "name"), {
						version: request.version,
						platform: platformOf(request),
					}),
				),
		},
		{
			method: "POST",
			path: "/images/{name...}/tag",
			handle: async (request) => {
				const { query } = request;
				await images.tag(parameter(request, "name"), query.text("repo"), query.text("tag"));
				return empty(201);
			},
		},
		{ method: "POST", path: "/images/{name...}/push", handle: (request) => push(images, request) },
		{ method: "DELETE", path: "/images/{name...}", handle: (request) => remove(images, request) },
	];
}

function push(images: ImageBackend, request: ApiRequest): Reply {
	const { query, signal, headers } = request;
	const platform = atLeast(request.version, 46) ? parsePlatformJson(query.text("platform")) : undefined;
	const credentials = parseRegistryAuth(headers.get("x-registry-auth"));
	const image = parameter(request, "name");
	return progress(images.push({ image, tag: query.text("tag"), platform, credentials }, signal));
}

async function list(images: ImageBackend, { query, version }: ApiRequest): Promise<Reply> {
	const sharedSize = atLeast(version, 42) && query.flag("shared-size");
	return json(await images.list({ all: query.flag("all"), sharedSize, filters: query.filters(), version }));
}

/** What old clients send under that name means nothing. @throws InvalidParameterError */
function platformOf({ query, version }: ApiRequest): Platform | undefined {
	return atLeast(version, 48) ? parsePlatformJson(query.text("platform")) : undefined;
}

async function save(images: ImageBackend, request: ApiRequest, names: readonly string[]): Promise<Reply> {
	if (names.length === 0) throw new InvalidParameterError("no images are named");
	const stream = await images.save(names, platformOf(request));
	return { kind: "stream", contentType: "application/x-tar", stream, isDisposable: true };
}

async function create(images: ImageBackend, request: ApiRequest): Promise<Reply> {
	const { query, signal } = request;
	const platform = query.text("platform");
	const tag = query.text("tag");
	if (query.text("fromImage") !== "") {
		const credentials = parseRegistryAuth(request.headers.get("x-registry-auth"));
		return progress(images.pull({ image: query.text("fromImage"), tag, platform, credentials }, signal));
	}
	const from = query.text("fromSrc");
	if (from === "") throw new InvalidParameterError("either fromImage or fromSrc must be given");
	const source = from === "-" ? request.body.stream() : await openRemoteSource(from, signal);
	const options = {
		repository: query.text("repo"),
		tag,
		message: query.text("message"),
		changes: query.list("changes"),
		platform,
	};
	return progress(images.import(source, options, signal));
}

async function load(images: ImageBackend, request: ApiRequest): Promise<Reply> {
	const archive = request.body.isPresent ? request.body.stream() : Readable.from([]);
	const options = { quiet: request.query.flag("quiet"), platform: platformOf(request) };
	const items = images.load(archive, options, request.signal);
	// Clients look for what is wrong with an archive in the stream.
	return { kind: "lines", items, headersAtOnce: true, errorsInBand: true, separator: "\r\n" };
}

function progress(items: AsyncIterable<unknown>): Reply {
	return { kind: "lines", items, headersAtOnce: false, errorsInBand: true, separator: "\r\n" };
}

async function remove(images: ImageBackend, request: ApiRequest): Promise<Reply> {
	const { query } = request;
	const name = parameter(request, "name");
	if (name.trim() === "") throw new InvalidParameterError("image name cannot be blank");
	// An image has one platform here: who names another one must not lose this one.
	const platforms = atLeast(request.version, 50) ? query.list("platforms").map(parsePlatformJson) : [];
	for (const platform of platforms) await images.inspect(name, { version: request.version, platform });
	return json(await images.remove(name, { force: query.flag("force"), noPrune: query.flag("noprune") }));
}
