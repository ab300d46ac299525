import type {
	ContainerConfig,
	ContainerCreateRequest,
	ContainerCreateResponse,
	EndpointSettings,
} from "../../api/engine/container.ts";
import type { ApiVersion } from "../../api/engine/version.ts";
import type { Clock } from "../../base/clock.ts";
import { ConflictError, InvalidParameterError, NotFoundError } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { ContainerEndpoint, ContainerMount, ContainerRecord } from "../../core/container/container-record.ts";
import { normaliseCreate, type SettledContainer } from "../../core/container/create.ts";
import type { EndpointNetworks } from "../../core/container/endpoints.ts";
import type { DaemonDefaults } from "../../core/container/host-config.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import { imageMounts, imageSnapshotId, snapshotIds } from "../../core/container/image-mounts.ts";
import { missingBindSource } from "../../core/container/mount-spec.ts";
import { normaliseName } from "../../core/container/name.ts";
import { generateName } from "../../core/container/name-generator.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { ImageRecord } from "../../core/image/image-record.ts";
import type { Snapshotter } from "../../core/snapshot/snapshotter.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerFilesystem } from "./filesystem.ts";
import type { ContainerRegistry } from "./registry.ts";

/** What containers need of images. */
export interface ImageResolver {
	/** By name, ID or ID prefix. @throws NotFoundError `No such image: x` */
	resolve(reference: string): ImageRecord;
}

export interface CreateSettings {
	readonly defaults: DaemonDefaults;
	readonly host: HostFacts;
	/** `linux/amd64`: the only platform whose images run here. */
	readonly platform: string;
}

export interface ContainerCreatorDependencies {
	readonly registry: ContainerRegistry;
	readonly images: ImageResolver;
	readonly networks: EndpointNetworks;
	readonly snapshotter: Snapshotter;
	readonly filesystem: ContainerFilesystem;
	readonly files: ContainerHostFiles;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

export interface CreateOptions {
	readonly name: string;
	readonly platform: string;
	readonly version: ApiVersion;
}

export class ContainerCreator {
	readonly #deps: ContainerCreatorDependencies;
	readonly #settings: CreateSettings;
	/** What the daemon's configuration may change while it runs. */
	#defaults: DaemonDefaults;

	constructor(deps: ContainerCreatorDependencies, settings: CreateSettings) {
		this.#deps = deps;
		this.#settings = settings;
		this.#defaults = settings.defaults;
	}

	reconfigure(defaults: DaemonDefaults): void {
		this.#defaults = defaults;
	}

	/**
	 * Everything is checked before anything is made. Directory and snapshot come before the record, since recovery drops those
	 * that have none; volumes come after it, so that they have an owner whenever the daemon dies.
	 */
	async create(request: ContainerCreateRequest, options: CreateOptions): Promise<ContainerCreateResponse> {
		const { registry } = this.#deps;
		const name = options.name === "" ? undefined : normaliseName(options.name);
		if (name !== undefined) registry.checkName(name);
		const image = this.#image(request.Image ?? "", options.platform);
		const id = newId();
		const settled = normaliseCreate({
			containerId: id,
			request,
			imageConfig: image.config.config as ContainerConfig | undefined,
			version: options.version,
			defaults: this.#defaults,
			host: this.#settings.host,
			findContainer: (reference) => registry.resolve(reference),
			networks: this.#deps.networks,
		});
		const mounts = settled.mounts.map((mount) => this.#settleMount(mount));
		const record = this.#record(id, name ?? this.#freeName(), image, request.Image ?? "", { ...settled, mounts });
		await registry.locked(id, () => this.#make(record, image));
		return { Id: id, Warnings: [...settled.warnings] };
	}

	async #make(record: ContainerRecord, image: ImageRecord): Promise<void> {
		const { registry, snapshotter, filesystem, files, events } = this.#deps;
		try {
			files.createDirectory(record.id);
			await snapshotter.prepare(record.id, image.chainId);
			for (const mount of imageMounts(record))
				await snapshotter.prepare(imageSnapshotId(record, mount), mount.image?.chainId, { readOnly: true });
			registry.insert(record);
			await filesystem.establish(record);
		} catch (error) {
			await this.#undo(record);
			throw error;
		}
		publishContainerEvent(events, record, "create");
	}

	async #undo(record: ContainerRecord): Promise<void> {
		const { registry, snapshotter, filesystem, files } = this.#deps;
		for (const id of snapshotIds(record)) await snapshotter.remove(id);
		await filesystem.removeAnonymousVolumes(record);
		await files.removeDirectory(record.id);
		registry.delete(record.id);
	}

	#image(reference: string, platform: string): ImageRecord {
		if (reference === "") throw new InvalidParameterError("no image specified");
		const image = this.#deps.images.resolve(reference);
		const own = `${image.config.os}/${image.config.architecture}`;
		if (platform !== "" && !samePlatform(platform, own))
			throw new NotFoundError(
				`image with reference ${reference} was found but its platform (${own}) does not match the specified platform (${platform})`,
			);
		return image;
	}

	/** @throws InvalidParameterError for a bind without a source, NotFoundError `No such image: x` */
	#settleMount(mount: ContainerMount): ContainerMount {
		if (mount.type === "bind" && !mount.createSource && this.#deps.files.kindOf(mount.source) === undefined)
			throw missingBindSource(mount.source);
		// One that comes with `--volumes-from` shows what it shows there, whatever its name means by now.
		if (mount.type !== "image" || mount.image?.id !== undefined) return mount;
		const { id, chainId } = this.#deps.images.resolve(mount.source);
		const subpath = mount.image?.subpath ?? "";
		return { ...mount, image: { subpath, id, ...(chainId === undefined ? {} : { chainId }) } };
	}

	#freeName(): string {
		for (let attempt = 0; attempt < 100; attempt++) {
			const name = generateName(Math.random, attempt);
			if (this.#deps.registry.owner(name) === undefined) return name;
		}
		throw new ConflictError("could not find a free name");
	}

	#record(
		id: string,
		name: string,
		image: ImageRecord,
		imageReference: string,
		settled: SettledContainer,
	): ContainerRecord {
		const { config, hostConfig, mounts } = settled;
		const logDriver = hostConfig.LogConfig?.Type ?? "none";
		const { directory } = this.#deps.files.paths(id);
		return {
			id,
			version: 1,
			name,
			createdAt: this.#deps.clock.now(),
			imageId: image.id,
			imageReference,
			config,
			hostConfig,
			mounts,
			endpoints: mapEndpoints(settled.endpoints),
			mappings: [],
			lifecycle: { kind: "created" },
			stoppedByUser: false,
			restartCount: 0,
			runtime: hostConfig.Runtime || this.#defaults.defaultRuntime,
			platform: image.config.os,
			logPath: logPath(directory, id, logDriver),
		};
	}
}

function logPath(directory: string, id: string, driver: string): string {
	if (driver === "json-file") return `${directory}/${id}-json.log`;
	return driver === "local" ? `${directory}/container.log` : "";
}

function mapEndpoints(requested: Readonly<Record<string, EndpointSettings>>): Record<string, ContainerEndpoint> {
	return Object.fromEntries(Object.entries(requested).map(([name, settings]) => [name, { requested: settings }]));
}

/** The operating system may be left out, and so may the variant. */
function samePlatform(wanted: string, own: string): boolean {
	const [ownOs, ownArchitecture] = own.split("/");
	const parts = wanted.toLowerCase().split("/");
	const architecture = ARCHITECTURES[parts[1] ?? parts[0] ?? ""] ?? parts[1] ?? parts[0];
	if (parts.length === 1) return parts[0] === ownOs || architecture === ownArchitecture;
	return parts[0] === ownOs && architecture === ownArchitecture;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", "x86-64": "amd64", aarch64: "arm64" };
