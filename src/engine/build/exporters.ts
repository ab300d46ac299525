import type { Readable } from "node:stream";
import type { ImageConfig, Platform } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import type { BuildOutput, BuildRequest, OutputSink } from "../../core/build/request.ts";
import type { NamedTree, TreeArchiver } from "../../core/diff/archiver.ts";
import { parseBoolean } from "../../core/dockerfile/directives.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import { isPlainForm, needsIndex, PLAIN_FORM, type PublishedForm } from "../../core/image/published-form.ts";
import { familiar, parseReference } from "../../core/image/reference.ts";
import { placeOf } from "../../core/remotes/endpoint.ts";
import type { ImageService } from "../image/image-service.ts";
import type { BuildCache } from "./build-cache.ts";
import type { Vertex, VertexNarrator } from "./build-progress.ts";
import { ImageWriter } from "./image-writer.ts";
import type { StageViews } from "./stage-views.ts";

/** What is exported. */
export interface BuiltImage {
	readonly document: ImageConfig;
	readonly chain: Digest | undefined;
	readonly platform: Platform;
}

/** What was put into the image store or a registry. */
export interface ExportedImage {
	readonly images: readonly ImageRecord[];
	/** What the tags stand for in a registry, when it was pushed: a manifest, or an index. */
	readonly pushed: Digest | undefined;
}

export interface ExportersDependencies {
	readonly images: ImageService;
	readonly cache: BuildCache;
	readonly archiver: TreeArchiver;
}

export interface ExportContext {
	readonly request: BuildRequest;
	readonly views: StageViews;
	readonly narrator: VertexNarrator;
	readonly signal: AbortSignal;
	/** Annotations, and what is stated about the image. */
	readonly form: PublishedForm;
}

/** Puts what was built where it was asked for: the image store, registries, archives and trees of the client. */
export class Exporters {
	readonly #deps: ExportersDependencies;
	readonly #writer: ImageWriter;

	constructor(deps: ExportersDependencies) {
		this.#deps = deps;
		this.#writer = new ImageWriter(deps.images.workshop, deps.cache);
	}

	/** All names that the request gives the image. @throws InvalidParameterError */
	static references(request: BuildRequest): string[] {
		const named = request.outputs.flatMap(({ attributes }) => (attributes["name"] ?? "").split(","));
		return ImageWriter.references([...request.tags, ...named.filter((name) => name !== "")]);
	}

	/** @param built one for each platform */
	async export(built: readonly BuiltImage[], context: ExportContext): Promise<ExportedImage> {
		let exported: ExportedImage = { images: [], pushed: undefined };
		for (const [index, output] of context.request.outputs.entries()) {
			if (output.type === "image") exported = await this.#image(built, output, context);
			else if (output.type === "local" || output.type === "tar") await this.#tree(built, index, output, context);
			else await this.#archive(built, index, output, context);
		}
		return exported;
	}

	async #image(built: readonly BuiltImage[], output: BuildOutput, context: ExportContext): Promise<ExportedImage> {
		const { request, narrator, signal } = context;
		const references = Exporters.references(request);
		const isPushed = output.attributes["push"] === "true";
		if (isPushed && references.length === 0)
			throw new InvalidParameterError("a tag is needed when pushing to a registry");
		const isAlone = built.length === 1;
		if (!isPushed && !isPlainForm(context.form))
			throw new NotImplementedError(
				"the image store keeps neither annotations nor attestations: push the image (--push), or write it to an archive (--output type=oci)",
			);
		if (!isAlone && !isPushed)
			throw new NotImplementedError(
				"the image store keeps one platform for a name: push an image of several platforms (--push), or write it to an archive (--output type=oci)",
			);
		const images = await narrator.vertex("exporting to image").around(async (vertex) => {
			const written: ImageRecord[] = [];
			for (const { document, chain } of built) {
				const image = await this.#writer.write(document, chain, isAlone ? references : []);
				vertex.status(`writing image ${image.id}`, 0, 0, true);
				written.push(image);
			}
			if (isAlone) for (const reference of references) vertex.status(`naming to ${reference}`, 0, 0, true);
			return written;
		});
		let pushed: Digest | undefined;
		if (isPushed)
			for (const reference of references)
				await narrator.vertex(`pushing ${reference}`).around(async (vertex) => {
					const isBare = isPlainForm(context.form) && !needsIndex(context.form);
					if (isAlone && isBare) await this.#push(reference, request, vertex, signal);
					else pushed = await this.#pushIndex(images, built, reference, context);
				});
		const kept = images.map(({ id }) => this.#deps.images.resolve(id));
		return { images: kept, pushed: pushed ?? kept[0]?.manifests?.[0]?.digest };
	}

	/** The images by their digests, then the index under the name. */
	async #pushIndex(
		images: readonly ImageRecord[],
		built: readonly BuiltImage[],
		reference: string,
		{ request, signal, form }: ExportContext,
	): Promise<Digest> {
		const { name, tag = "latest" } = parseReference(reference);
		const credentials = await request.session.credentials(placeOf(name).domain);
		const platforms = built.map(({ platform }) => platform);
		return await this.#deps.images.workshop.pusher.pushIndex(
			images,
			platforms,
			{ repository: name, tag, credentials, form },
			signal,
		);
	}

	/** One of `cacheTo`. @param built for each platform, the target's image first */
	async exportCache(built: readonly BuiltImage[], at: number, context: ExportContext): Promise<void> {
		const { cacheTo, outputs } = context.request;
		const { type, attributes } = cacheTo[at] ?? {};
		if (type === "registry") await this.#pushCache(built, attributes?.["ref"] ?? "", context);
		if (type !== "local") return;
		await context.narrator.vertex("exporting cache to client directory").around(async (vertex) => {
			const archive = this.#deps.images.workshop.saver.saveBuilt(built.map(savedForm), [], PLAIN_FORM);
			await send(archive, await context.request.session.output(outputs.length + at), vertex, context.signal);
		});
	}

	/** Images that nobody runs, for the cache in them. They do not stay in the store. */
	async #pushCache(built: readonly BuiltImage[], reference: string, context: ExportContext): Promise<void> {
		const { index } = this.#deps.images.workshop;
		const [normalised = ""] = ImageWriter.references([reference]);
		await context.narrator.vertex(`exporting cache to ${reference}`).around(async () => {
			const known = new Set(index.all().map(({ id }) => id));
			const images: ImageRecord[] = [];
			try {
				for (const { document, chain } of built) images.push(await this.#writer.write(document, chain, []));
				await this.#pushIndex(images, built, normalised, { ...context, form: PLAIN_FORM });
			} finally {
				for (const id of new Set(images.map((image) => image.id)))
					if (!known.has(id)) await this.#deps.images.remove(id, { force: true, noPrune: false });
			}
		});
	}

	async #push(reference: string, request: BuildRequest, vertex: Vertex, signal: AbortSignal): Promise<void> {
		const { name, tag = "" } = parseReference(reference);
		const credentials = await request.session.credentials(placeOf(name).domain);
		const messages = this.#deps.images.push({ image: familiar(name), tag, platform: undefined, credentials }, signal);
		for await (const { id, status, progressDetail } of messages) {
			if (id === undefined) continue;
			const { current = 0, total = 0 } = (progressDetail ?? {}) as { current?: number; total?: number };
			vertex.status(`pushing layer ${id}`, current, total, /exists|Pushed|Mounted/.test(status ?? ""));
		}
	}

	async #tree(built: readonly BuiltImage[], index: number, output: BuildOutput, context: ExportContext): Promise<void> {
		const isSplit = splitsPlatforms(output, built.length, context.form);
		const what = output.type === "local" ? "exporting to client directory" : "exporting to client tarball";
		await context.narrator.vertex(what).around(async (vertex) => {
			const trees: NamedTree[] = [];
			for (const { chain, platform } of built)
				trees.push({ name: formatPlatform(platform).replaceAll("/", "_"), root: await context.views.path(chain) });
			const { session } = context.request;
			const parts = isSplit ? trees : trees.map(({ root }) => ({ name: "", root }));
			if (output.type === "local" && session.outputTrees !== undefined)
				return await session.outputTrees(index, parts, (bytes) => vertex.status("copying files", bytes, 0));
			const { archiver } = this.#deps;
			const archive = isSplit ? archiver.exportTrees(trees) : archiver.export(trees[0]?.root ?? "");
			await send(archive, await session.output(index), vertex, context.signal);
		});
	}

	async #archive(
		built: readonly BuiltImage[],
		index: number,
		output: BuildOutput,
		context: ExportContext,
	): Promise<void> {
		const what = `exporting to ${output.type} image format`;
		await context.narrator.vertex(what).around(async (vertex) => {
			if (output.type === "docker" && (built.length > 1 || context.form.hasIndex === true))
				throw new InvalidParameterError(
					"docker exporter does not support exporting manifest lists, use the oci exporter instead",
				);
			const archive = this.#deps.images.workshop.saver.saveBuilt(
				built.map(savedForm),
				Exporters.references(context.request),
				context.form,
			);
			await send(archive, await context.request.session.output(index), vertex, context.signal);
		});
	}
}

/** Whether each platform's tree has a directory of its own. @throws InvalidParameterError, NotImplementedError */
function splitsPlatforms(
	{ type, attributes }: BuildOutput,
	count: number,
	{ hasIndex = false }: PublishedForm,
): boolean {
	const text = attributes["platform-split"];
	const areSeveral = count > 1;
	const isSplit = text === undefined ? areSeveral || hasIndex : parseBoolean(text);
	if (isSplit === undefined) throw new InvalidParameterError(`invalid boolean value for platform-split: ${text}`);
	if (areSeveral && !isSplit)
		throw new NotImplementedError(`output of type ${type} with the trees of several platforms in one is not supported`);
	return isSplit;
}

function savedForm({ document, chain, platform }: BuiltImage) {
	return { configBytes: Buffer.from(JSON.stringify(document)), chainId: chain, platform };
}

/** A client that reads slowly slows the reading of the files down. */
async function send(archive: Readable, sink: OutputSink, vertex: Vertex, signal: AbortSignal): Promise<void> {
	let sentBytes = 0;
	try {
		for await (const chunk of archive) {
			signal.throwIfAborted();
			await sink.write(chunk);
			sentBytes += chunk.length;
			vertex.status("sending tarball", sentBytes, 0);
		}
		vertex.status("sending tarball", sentBytes, sentBytes, true);
	} finally {
		archive.destroy();
		await sink.close();
	}
}
