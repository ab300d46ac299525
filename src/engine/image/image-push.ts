import { Readable } from "node:stream";
import type { ProgressMessage } from "../../api/engine/image.ts";
import { type Descriptor, type Index, type Manifest, MEDIA_TYPE, type Platform } from "../../api/oci/image.ts";
import { type Digest, sha256 } from "../../base/digest.ts";
import { errorKind, InvalidParameterError, NotFoundError, SystemError } from "../../base/errors.ts";
import { shortId } from "../../base/ids.ts";
import type { ContentStore } from "../../core/content/content-store.ts";
import type { ImageManifest, ImageRecord, LayerRecord } from "../../core/image/image-record.ts";
import { suitsPlatform, wrongPlatform } from "../../core/image/platform.ts";
import {
	annotated,
	attestationManifest,
	needsIndex,
	type PublishedForm,
	type Statement,
} from "../../core/image/published-form.ts";
import {
	familiar,
	formatReference,
	type NamedReference,
	parseReference,
	referenceFromParts,
	splitReference,
} from "../../core/image/reference.ts";
import { parseManifest } from "../../core/remotes/manifest.ts";
import { newManifest } from "../../core/remotes/push-manifest.ts";
import type { Pusher, RegistryCredentials, RemoteManifest, Remotes } from "../../core/remotes/remote.ts";
import type { ImageEvents } from "./image-events.ts";
import type { ImageIndex } from "./image-index.ts";
import type { LayerRegistry } from "./layer-registry.ts";
import { ProgressQueue } from "./progress-queue.ts";
import type { LayerPushContext, LayerPusher } from "./push-layers.ts";

export interface PushRequest {
	/** Without a tag. */
	readonly image: string;
	/** Empty: all tags of the repository. */
	readonly tag: string;
	readonly platform: Platform | undefined;
	readonly credentials: RegistryCredentials | undefined;
}

export interface PushDependencies {
	readonly index: ImageIndex;
	readonly layers: LayerRegistry;
	readonly events: ImageEvents;
	readonly content: ContentStore;
	readonly remotes: Remotes;
	readonly layerPusher: LayerPusher;
}

/** A manifest as it was pulled or pushed before. */
interface KnownManifest {
	readonly remote: RemoteManifest;
	readonly layers: readonly Descriptor[];
	readonly index: ImageManifest["index"];
}

interface PushTarget extends LayerPushContext {
	readonly tag: string;
	/** Asked for by its platform: the index it came with stays out of it. */
	readonly isAlone: boolean;
	/** Of a manifest that is made anew for them. */
	readonly annotations?: Readonly<Record<string, string>>;
}

/** Images to registries. What was pulled goes out with the digests it came with, wherever the bytes can still be had. */
export class ImagePusher {
	constructor(readonly deps: PushDependencies) {}

	/** @throws InvalidParameterError for a name that is none; everything else comes after the first message */
	push(request: PushRequest, signal: AbortSignal): AsyncIterable<ProgressMessage> {
		const named = parseReference(request.image.replace(/:$/, ""));
		if (named.digest !== undefined) throw new InvalidParameterError("cannot push a digest reference");
		const tag = request.tag === "" ? named.tag : request.tag;
		const target = tag === undefined ? named : referenceFromParts(named.name, tag);
		this.#checkPlatform(target, request.platform);
		const progress = new ProgressQueue();
		return progress.run((cancelled) => this.#push(target.name, target.tag, request, progress, cancelled), signal);
	}

	/**
	 * Images of several platforms, or one with statements: each by its digest, then an index of them under the tag. One that has but
	 * annotations stays without an index.
	 * @returns digest of what the tag stands for
	 */
	async pushIndex(
		images: readonly ImageRecord[],
		platforms: readonly Platform[],
		target: {
			readonly repository: string;
			readonly tag: string;
			readonly credentials: RegistryCredentials | undefined;
			readonly form: PublishedForm;
		},
		signal: AbortSignal,
	): Promise<Digest> {
		const { repository, tag, credentials, form } = target;
		const { annotations } = form;
		const attestations: Descriptor[] = [];
		const isAlone = images.length === 1 && !needsIndex(form);
		const pusher = await this.deps.remotes.pusher(repository, credentials);
		const manifests: Descriptor[] = [];
		for (const [at, image] of images.entries()) {
			const context = {
				pusher,
				repository,
				tag: isAlone ? tag : "",
				isAlone: true,
				credentials,
				progress: new ProgressQueue(),
				signal,
				annotations: annotations.manifest,
			};
			const manifest = await this.#pushOne(image, context);
			if (isAlone) return manifest.digest;
			const platform = platforms[at];
			manifests.push({
				mediaType: manifest.mediaType,
				digest: manifest.digest,
				size: manifest.bytes.length,
				...annotated(annotations.manifestDescriptor),
				...(platform === undefined ? {} : { platform }),
			});
			if (form.attest === undefined || platform === undefined) continue;
			attestations.push(await this.#attest(manifest.digest, form.attest(manifest.digest, platform), pusher, signal));
		}
		const index: Index = {
			schemaVersion: 2,
			mediaType: MEDIA_TYPE.ociIndex,
			manifests: [...manifests, ...attestations],
			...annotated(annotations.index),
		};
		const bytes = Buffer.from(JSON.stringify(index));
		const remote = { bytes, digest: sha256(bytes), mediaType: MEDIA_TYPE.ociIndex };
		await pusher.putManifest(tag, remote, signal);
		return remote.digest;
	}

	async #attest(
		subject: Digest,
		statements: readonly Statement[],
		pusher: Pusher,
		signal: AbortSignal,
	): Promise<Descriptor> {
		const { config, manifest, descriptor } = attestationManifest(subject, statements);
		for (const bytes of [config, ...statements.map((statement) => statement.bytes)])
			await uploadBytes(sha256(bytes), bytes, pusher, signal);
		const { digest, mediaType } = descriptor;
		await pusher.putManifest(digest, { bytes: manifest, digest, mediaType }, signal);
		return descriptor;
	}

	async #push(
		repository: string,
		tag: string | undefined,
		request: PushRequest,
		progress: ProgressQueue,
		signal: AbortSignal,
	): Promise<void> {
		progress.say({ status: `The push refers to repository [${repository}]` });
		const images = this.#images(repository, tag);
		const { credentials, platform } = request;
		const pusher = await this.deps.remotes.pusher(repository, credentials);
		const isAlone = platform !== undefined;
		for (const { image, tag } of images)
			await this.#pushOne(image, { pusher, repository, tag, isAlone, credentials, progress, signal });
	}

	/** @throws NotFoundError when one of the images is for another platform */
	#checkPlatform({ name, tag }: NamedReference, platform: Platform | undefined): void {
		if (platform === undefined) return;
		for (const image of this.deps.index.all())
			for (const reference of image.tags) {
				const own = splitReference(reference);
				if (own.name !== name || (tag !== undefined && own.tag !== tag)) continue;
				if (!suitsPlatform(platform, image.config))
					throw new NotFoundError(wrongPlatform(reference, image.config, platform));
			}
	}

	#images(repository: string, tag: string | undefined): { readonly image: ImageRecord; readonly tag: string }[] {
		const all = this.deps.index.all().flatMap((image) =>
			image.tags.flatMap((reference) => {
				const { name, tag = "" } = splitReference(reference);
				return name === repository ? [{ image, tag }] : [];
			}),
		);
		if (all.length === 0)
			throw new NotFoundError(`An image does not exist locally with the tag: ${familiar(repository)}`);
		if (tag === undefined) return all.sort((a, b) => (a.tag < b.tag ? -1 : 1));
		const chosen = all.filter((entry) => entry.tag === tag);
		if (chosen.length === 0) throw new NotFoundError(`tag does not exist: ${familiar(`${repository}:${tag}`)}`);
		return chosen;
	}

	/** @returns what the tag stands for; without a tag, the manifest is found by its digest alone */
	async #pushOne(image: ImageRecord, target: PushTarget): Promise<RemoteManifest> {
		const { layers, index, content, events, layerPusher } = this.deps;
		using lease = layers.lease();
		const stack = layers.stack(image.chainId).reverse();
		if (stack.length !== image.config.rootfs.diff_ids.length) throw new SystemError(`image ${image.id} lacks layers`);
		for (const layer of stack) lease.hold(layer.chainId);
		for (const layer of stack) target.progress.state(shortId(layer.diffId), "Preparing");
		const known = await this.#knownManifest(image, stack.length);
		const configBytes = await content.read(image.id);
		const config = (signal: AbortSignal) =>
			layerPusher.uploads.run(() => uploadBytes(image.id, configBytes, target.pusher, signal));
		const pushed = await this.#blobs(config, stack, known?.layers, target);
		const isPlain = Object.keys(target.annotations ?? {}).length === 0;
		const isSame =
			isPlain && known !== undefined && pushed.every(({ digest }, at) => digest === known.layers[at]?.digest);
		const manifest = isSame
			? known.remote
			: newManifest({ digest: image.id, size: configBytes.length }, pushed, target.annotations);
		const top = await this.#manifests(manifest, isSame && !target.isAlone ? known.index : undefined, target);
		const record = { digest: manifest.digest, mediaType: manifest.mediaType };
		await index.addManifest(image.id, record, `${target.repository}@${top.digest}`, [manifest.bytes]);
		const { tag, progress } = target;
		progress.say({ status: `${tag}: digest: ${top.digest} size: ${top.bytes.length}` });
		progress.say({ progressDetail: {}, aux: { Tag: tag, Digest: top.digest, Size: top.bytes.length } });
		const named = { name: target.repository, tag: tag === "" ? undefined : tag, digest: undefined };
		const name = familiar(formatReference(named));
		events.publish("push", name, familiar(target.repository), image);
		return top;
	}

	/**
	 * The configuration and the layers, side by side.
	 * @returns the layers' forms that are in the registry now
	 * @throws the first failure, when the others have stopped
	 */
	async #blobs(
		config: (signal: AbortSignal) => Promise<void>,
		stack: readonly LayerRecord[],
		wanted: readonly Descriptor[] | undefined,
		target: PushTarget,
	): Promise<Descriptor[]> {
		const stop = new AbortController();
		const context = { ...target, signal: AbortSignal.any([target.signal, stop.signal]) };
		let failure: unknown;
		const stopping = async <T>(work: Promise<T>): Promise<T> => {
			try {
				return await work;
			} catch (error) {
				failure ??= error;
				stop.abort();
				throw error;
			}
		};
		const configured = stopping(config(context.signal));
		const pushes = stack.map((layer, at) => stopping(this.deps.layerPusher.push(layer, wanted?.[at], context)));
		const [, ...settled] = await Promise.allSettled([configured, ...pushes]);
		if (failure !== undefined) throw failure;
		return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
	}

	/**
	 * The manifest, and the index it came with when the repository has all that belongs to it.
	 * @returns what the tag stands for now
	 */
	async #manifests(
		manifest: RemoteManifest,
		index: ImageManifest["index"],
		{ pusher, tag, signal, progress }: PushTarget,
	): Promise<RemoteManifest> {
		const whole = index === undefined ? undefined : await this.#read(index);
		if (whole === undefined) {
			await pusher.putManifest(tag === "" ? manifest.digest : tag, manifest, signal);
			return manifest;
		}
		await pusher.putManifest(manifest.digest, manifest, signal);
		const isComplete = await this.#isComplete(whole, pusher, signal);
		await pusher.putManifest(tag, isComplete ? whole : manifest, signal);
		if (!isComplete)
			progress.say({
				progressDetail: {},
				aux: {
					manifestPushedInsteadOfIndex: true,
					originalIndex: { mediaType: whole.mediaType, digest: whole.digest, size: whole.bytes.length },
					selectedManifest: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length },
				},
			});
		return isComplete ? whole : manifest;
	}

	async #isComplete(index: RemoteManifest, pusher: Pusher, signal: AbortSignal): Promise<boolean> {
		const parsed = parseManifest(index.bytes, index.mediaType);
		if (parsed.kind !== "index") return false;
		for (const { digest } of parsed.index.manifests) if (!(await pusher.hasManifest(digest, signal))) return false;
		return true;
	}

	/** The newest one that still fits the image. */
	async #knownManifest(image: ImageRecord, layerCount: number): Promise<KnownManifest | undefined> {
		for (const record of image.manifests ?? []) {
			const remote = await this.#read(record);
			if (remote === undefined) continue;
			const parsed = parseManifest(remote.bytes, remote.mediaType);
			const manifest: Manifest | undefined = parsed.kind === "image" ? parsed.manifest : undefined;
			if (manifest?.config.digest === image.id && manifest.layers.length === layerCount)
				return { remote, layers: manifest.layers, index: record.index };
		}
		return undefined;
	}

	/** @returns undefined when it is not here any more: then it is made anew */
	async #read({ digest, mediaType }: Pick<ImageManifest, "digest" | "mediaType">): Promise<RemoteManifest | undefined> {
		try {
			return { digest, mediaType, bytes: await this.deps.content.read(digest) };
		} catch (error) {
			if (errorKind(error) === "not-found") return undefined;
			throw error;
		}
	}
}

async function uploadBytes(digest: Digest, bytes: Uint8Array, pusher: Pusher, signal: AbortSignal): Promise<void> {
	if (await pusher.hasBlob(digest, signal)) return;
	const upload = { digest: () => digest, open: () => Readable.from([bytes]), sizeBytes: bytes.length };
	await pusher.uploadBlob(upload, signal);
}
