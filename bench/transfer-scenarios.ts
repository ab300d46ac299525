/** Images on their way: between engines and a registry on the same machine, and between engines and files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineClient, PREFIX } from "./engine-client.ts";
import { LoopbackRegistry, REGISTRY } from "./loopback-registry.ts";
import type { Scenario } from "./scenarios.ts";
import type { Side } from "./sides.ts";
import { BenchImage, packageTars, smallFilesTar, writeArchive } from "./transfer-images.ts";

const MEGABYTE = 1_000_000;
const IMAGES = {
	debian: { text: "180 MB in 6 layers", sizes: [60, 30, 25, 25, 20, 20] },
	large: { text: "700 MB in 14 layers", sizes: [120, 80, 80, 60, 60, 50, 50, 40, 40, 30, 30, 30, 20, 10] },
	small: { text: "10,000 small files in 1 layer", sizes: [] },
} as const;
type ImageName = keyof typeof IMAGES;

/** Pushes and loads begin here: their layers are none that was pulled. */
const FIRST_LOADED = 1000;

export class TransferScenarios implements AsyncDisposable {
	readonly #directory = mkdtempSync(join(tmpdir(), `${PREFIX}-`));
	readonly #images = new Map<ImageName, Promise<BenchImage>>();
	readonly #published = new Map<string, Promise<void>>();
	/** Variants used so far, by side and purpose. */
	readonly #counts = new Map<string, number>();
	#registry: Promise<LoopbackRegistry> | undefined;

	constructor(private readonly sides: readonly Side[]) {}

	all(): readonly Scenario[] {
		return [
			this.#pull("debian"),
			this.#pull("large"),
			this.#pull("small"),
			this.#push("debian"),
			this.#load("debian"),
			this.#load("large"),
			this.#load("small"),
			this.#save("debian"),
			this.#save("large"),
			this.#save("small"),
		];
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await (await this.#registry)?.[Symbol.asyncDispose]();
		rmSync(this.#directory, { recursive: true, force: true });
	}

	#pull(image: ImageName): Scenario {
		return {
			name: `pull of ${IMAGES[image].text}`,
			goal: 1 / 3,
			roundsFactor: 0.5,
			prepare: removeImages,
			measure: async (client) => client.time("pull", await this.#publishedImage(image, this.#next(client))),
			cleanUp: removeImages,
		};
	}

	/** Of layers that no registry has yet: they are compressed, too. */
	#push(image: ImageName): Scenario {
		return {
			name: `push of ${IMAGES[image].text}`,
			goal: 1 / 3,
			roundsFactor: 0.5,
			prepare: removeImages,
			measure: async (client) => {
				await this.#registryOf();
				const repository = client.side.name.replaceAll(/[^a-z0-9]+/gi, "").toLowerCase();
				const number = this.#next(client);
				const reference = `${REGISTRY}/${PREFIX}/${repository}:${number}`;
				const archive = await this.#archive(image, number, reference);
				try {
					await client.time("load", "-i", archive);
					return await client.time("push", reference);
				} finally {
					rmSync(archive);
				}
			},
			cleanUp: removeImages,
		};
	}

	#load(image: ImageName): Scenario {
		return {
			name: `load of ${IMAGES[image].text}`,
			goal: 1 / 2,
			roundsFactor: 0.5,
			prepare: removeImages,
			measure: async (client) => {
				const number = this.#next(client);
				const archive = await this.#archive(image, number, `${PREFIX}-loaded:${number}`);
				try {
					return await client.time("load", "-i", archive);
				} finally {
					rmSync(archive);
				}
			},
			cleanUp: removeImages,
		};
	}

	#save(image: ImageName): Scenario {
		const reference = `${PREFIX}-saved:1`;
		return {
			name: `save of ${IMAGES[image].text}`,
			goal: 1 / 2,
			roundsFactor: 0.5,
			prepare: async (client) => {
				await removeImages(client);
				const archive = await this.#archive(image, this.#next(client), reference);
				await client.time("load", "-i", archive);
				rmSync(archive);
			},
			measure: async (client) => {
				const target = join(this.#directory, "saved.tar");
				const seconds = await client.time("save", "-o", target, reference);
				rmSync(target);
				return seconds;
			},
			cleanUp: removeImages,
		};
	}

	#next({ side }: EngineClient): number {
		const count = (this.#counts.get(side.name) ?? 0) + 1;
		this.#counts.set(side.name, count);
		return count;
	}

	async #publishedImage(image: ImageName, number: number): Promise<string> {
		const repository = `${PREFIX}/${image}`;
		const reference = `${REGISTRY}/${repository}:${number}`;
		const publish = async () => {
			const variant = (await this.#image(image)).variant(number);
			await (await this.#registryOf()).publish(repository, String(number), variant);
		};
		const published = this.#published.get(reference) ?? publish();
		this.#published.set(reference, published);
		await published;
		return reference;
	}

	async #archive(image: ImageName, number: number, reference: string): Promise<string> {
		const path = join(this.#directory, "archive.tar");
		await writeArchive((await this.#image(image)).variant(FIRST_LOADED + number), reference, path);
		return path;
	}

	#image(image: ImageName): Promise<BenchImage> {
		const known = this.#images.get(image) ?? this.#make(image);
		this.#images.set(image, known);
		return known;
	}

	async #make(image: ImageName): Promise<BenchImage> {
		const directory = join(this.#directory, image);
		const { sizes } = IMAGES[image];
		const bytes = sizes.map((size) => size * MEGABYTE);
		const tars = image === "small" ? [smallFilesTar(directory)] : await packageTars(directory, bytes);
		return BenchImage.make(image, tars);
	}

	#registryOf(): Promise<LoopbackRegistry> {
		const namespaces = new Set(this.sides.map(({ networkNamespace }) => networkNamespace));
		this.#registry ??= LoopbackRegistry.start(this.#directory, namespaces);
		return this.#registry;
	}
}

/** Also what an earlier run has left. */
async function removeImages(client: EngineClient): Promise<void> {
	const listed = await client.output("images", "--format", "{{.Repository}}:{{.Tag}}");
	const ours = new RegExp(`^127\\.0\\.0\\.1:\\d+/${PREFIX}/|^(localhost/)?${PREFIX}-(loaded|saved):`);
	const names = listed.split("\n").filter((name) => ours.test(name));
	if (names.length > 0) await client.time("rmi", "-f", ...names);
}
