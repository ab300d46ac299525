/** An image service on real drivers in a directory of its own, for tests. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ContainerConfig } from "../../src/api/engine/container.ts";
import type { ProgressMessage } from "../../src/api/engine/image.ts";
import { systemClock } from "../../src/base/clock.ts";
import { NotFoundError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { EngineEvent } from "../../src/core/event/event-bus.ts";
import type { CommittedImage, ContainerImageUse, ImageUser } from "../../src/core/image/container-image-use.ts";
import type { ImageStore } from "../../src/core/image/image-record.ts";
import type { Remotes } from "../../src/core/remotes/remote.ts";
import { FsContentStore } from "../../src/drivers/content-fs/fs-content-store.ts";
import { FsLayerApplier } from "../../src/drivers/layer-fs/fs-layer-applier.ts";
import { HttpRemotes, type HttpRemotesOptions } from "../../src/drivers/remotes-http/http-remotes.ts";
import { OverlaySnapshotter } from "../../src/drivers/snapshot-fs/overlay-snapshotter.ts";
import { MemoryImageStore } from "../../src/drivers/store-memory/image-store.ts";
import { MemoryUseStore } from "../../src/drivers/store-memory/use-store.ts";
import { ImageService } from "../../src/engine/image/image-service.ts";

export interface FakeContainer extends ImageUser {
	readonly name: string;
	readonly config: ContainerConfig;
}

/** Containers as the image service sees them, set by the test. */
export class FakeContainers implements ContainerImageUse {
	readonly list: FakeContainer[] = [];
	readonly commits: string[] = [];

	users(): readonly ImageUser[] {
		return this.list;
	}

	find(name: string): FakeContainer {
		const container = this.list.find((each) => each.name === name || each.id === name);
		if (container === undefined) throw new NotFoundError(`No such container: ${name}`);
		return container;
	}

	whileStill<T>(_id: string, _pause: boolean, work: () => Promise<T>): Promise<T> {
		return work();
	}

	committed(id: string, image: CommittedImage): void {
		this.commits.push(`${id} ${image.id} ${image.reference}`);
	}
}

/** Registries of this machine: no mirrors, no proxies, nobody's certificates. */
export function localRemotes(options: Partial<HttpRemotesOptions> = {}): HttpRemotes {
	return new HttpRemotes({
		clock: systemClock,
		settings: { mirrors: [], insecure: [] },
		hostDirectories: [],
		proxies: { http: undefined, https: undefined, exceptions: [] },
		attempts: 3,
		userAgent: "gantry-test",
		logger: silentLogger,
		...options,
	});
}

export class ImageBench implements AsyncDisposable {
	readonly root: string;
	readonly events: EngineEvent[] = [];
	readonly containers = new FakeContainers();
	readonly content: FsContentStore;
	snapshotter: OverlaySnapshotter;
	readonly applier: FsLayerApplier;
	readonly uses = new MemoryUseStore();
	service: ImageService;
	/** How far the service's clock is ahead. */
	clockOffsetMs = 0;

	/** @param root an existing directory to go on with; a fresh one by default */
	constructor(
		readonly store: ImageStore = new MemoryImageStore(),
		root = mkdtempSync(join(tmpdir(), "gantry-images-")),
		readonly remotes: Remotes = localRemotes(),
	) {
		this.root = realpathSync(root);
		this.content = new FsContentStore(join(this.root, "content"));
		this.snapshotter = new OverlaySnapshotter(join(this.root, "snapshots"));
		this.applier = new FsLayerApplier(this.content);
		this.service = this.#make();
	}

	/** Service and snapshotter as a new daemon would make them from what is stored. */
	restart(): void {
		this.snapshotter = new OverlaySnapshotter(join(this.root, "snapshots"));
		this.service = this.#make();
	}

	#make(): ImageService {
		return new ImageService(
			{
				store: this.store,
				content: this.content,
				snapshotter: this.snapshotter,
				applier: this.applier,
				events: { publish: (event) => this.events.push(event) },
				containers: this.containers,
				clock: { now: () => systemClock.now() + this.clockOffsetMs, after: systemClock.after },
				remotes: this.remotes,
				uses: this.uses,
				logger: silentLogger,
			},
			{ platform: { os: "linux", architecture: "amd64" }, engineVersion: "0.1.0", maxDownloads: 3, maxUploads: 5 },
		);
	}

	/** Imports a tar and returns the image's ID. */
	async import(tar: Uint8Array, name = "", changes: readonly string[] = []): Promise<string> {
		const [repository = "", tag = ""] = name.split(":");
		const options = { repository, tag, message: "", changes, platform: "" };
		const messages = await collect(this.service.import(Readable.from([tar]), options, new AbortController().signal));
		return messages.at(-1)?.status ?? "";
	}

	async load(archive: Uint8Array): Promise<string[]> {
		const messages = await collect(
			this.service.load(Readable.from([archive]), { quiet: true }, new AbortController().signal),
		);
		return messages.map(({ stream = "" }) => stream.trim());
	}

	async save(...names: string[]): Promise<Buffer> {
		const chunks: Buffer[] = [];
		for await (const chunk of await this.service.save(names)) chunks.push(chunk);
		return Buffer.concat(chunks);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.snapshotter.cleanUp({ layers: new Set(), containers: new Set() });
		rmSync(this.root, { recursive: true, force: true });
	}
}

async function collect(messages: AsyncIterable<ProgressMessage>): Promise<ProgressMessage[]> {
	const list: ProgressMessage[] = [];
	for await (const message of messages) list.push(message);
	return list;
}
