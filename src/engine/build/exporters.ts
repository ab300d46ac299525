import type { Readable } from "node:stream";
import type { ImageConfig } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { BuildOutput, BuildRequest, OutputSink } from "../../core/build/request.ts";
import type { TreeArchiver } from "../../core/diff/archiver.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
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

	/** @returns the image, when one was put into the store */
	async export(built: BuiltImage, context: ExportContext): Promise<ImageRecord | undefined> {
		let image: ImageRecord | undefined;
		for (const [index, output] of context.request.outputs.entries()) {
			if (output.type === "image") image = await this.#image(built, output, context);
			else if (output.type === "local" || output.type === "tar") await this.#tree(built, index, output, context);
			else await this.#archive(built, index, output, context);
		}
		return image;
	}

	async #image(
		built: BuiltImage,
		output: BuildOutput,
		{ request, narrator, signal }: ExportContext,
	): Promise<ImageRecord> {
		const references = Exporters.references(request);
		const image = await narrator.vertex("exporting to image").around(async (vertex) => {
			const written = await this.#writer.write(built.document, built.chain, references);
			vertex.status(`writing image ${written.id}`, 0, 0, true);
			for (const reference of references) vertex.status(`naming to ${reference}`, 0, 0, true);
			return written;
		});
		if (output.attributes["push"] !== "true") return image;
		if (references.length === 0) throw new InvalidParameterError("a tag is needed when pushing to a registry");
		for (const reference of references)
			await narrator.vertex(`pushing ${reference}`).around((vertex) => this.#push(reference, request, vertex, signal));
		return this.#deps.images.resolve(image.id);
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

	async #tree({ chain }: BuiltImage, index: number, output: BuildOutput, context: ExportContext): Promise<void> {
		const what = output.type === "local" ? "exporting to client directory" : "exporting to client tarball";
		await context.narrator.vertex(what).around(async (vertex) => {
			const path = await context.views.path(chain);
			await send(this.#deps.archiver.export(path), await context.request.session.output(index), vertex, context.signal);
		});
	}

	async #archive(built: BuiltImage, index: number, output: BuildOutput, context: ExportContext): Promise<void> {
		const what = `exporting to ${output.type} image format`;
		await context.narrator.vertex(what).around(async (vertex) => {
			const archive = this.#deps.images.workshop.saver.saveBuilt({
				configBytes: Buffer.from(JSON.stringify(built.document)),
				chainId: built.chain,
				tags: Exporters.references(context.request),
			});
			await send(archive, await context.request.session.output(index), vertex, context.signal);
		});
	}
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
