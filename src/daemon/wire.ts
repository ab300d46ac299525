/** The daemon's parts, put together. */
import type { BuildCacheRecord } from "../api/engine/system.ts";
import { formatApiVersion, MAX_API_VERSION } from "../api/engine/version.ts";
import type { Logger } from "../base/logger.ts";
import { snapshotIds } from "../core/container/image-mounts.ts";
import { RegistryImageUse } from "../engine/container/image-use.ts";
import { ContainerRegistry } from "../engine/container/registry.ts";
import { RuntimeTable } from "../engine/container/runtimes.ts";
import { TaskTable } from "../engine/container/tasks.ts";
import { EventBus } from "../engine/event/event-bus.ts";
import { GcService } from "../engine/gc/gc-service.ts";
import { ImageService } from "../engine/image/image-service.ts";
import { RegistryService } from "../engine/image/registry-service.ts";
import { EndpointAssigner } from "../engine/network/endpoint-assigner.ts";
import { NetworkService } from "../engine/network/network-service.ts";
import { SystemService } from "../engine/system/system-service.ts";
import { StillVolumes } from "../engine/volume/still-volumes.ts";
import { VolumeRegistry } from "../engine/volume/volume-registry.ts";
import { VolumeService } from "../engine/volume/volume-service.ts";
import type { Backends } from "../server/backends.ts";
import type { DaemonConfig, Environment } from "./config.ts";
import { daemonDefaults, engineSettings, reloadAttributes, reloaded, subnetPools } from "./container-defaults.ts";
import { driverGuard, FAIL_POINT_VARIABLE } from "./fail-point.ts";
import { findRuntimes, type RuntimeChoice, withDefault } from "./programs.ts";
import { VERSION } from "./version.ts";
import { wireBuilding } from "./wire-build.ts";
import { wireContainers } from "./wire-containers.ts";
import { type Drivers, openDrivers } from "./wire-drivers.ts";

/** Of networks whose options name none. */
const DEFAULT_NETWORK_MTU = 1500;

export interface Engine extends AsyncDisposable {
	readonly backends: Backends;
	/** Takes over what runs, finishes what a crash interrupted, restarts by policy. */
	start(): Promise<void>;
	/** Makes ahead what the first container would wait for. */
	warmUp(): void;
	/** Gives back what was only needed while there was something to do. */
	releaseMemory(): void;
	/** @throws InvalidParameterError; nothing has changed then */
	reload(config: DaemonConfig): void;
}

/** @throws UnavailableError, SystemError saying what the machine lacks */
export async function wireEngine(config: DaemonConfig, environment: Environment, logger: Logger): Promise<Engine> {
	await using stack = new AsyncDisposableStack();
	const runtimeChoice = findRuntimes(config, environment["PATH"] ?? "", logger);
	const drivers = openDrivers(config, logger, { stack, guard: driverGuard(environment[FAIL_POINT_VARIABLE]) });
	const { clock, stores } = drivers;
	const events = new EventBus(clock);
	const registry = new ContainerRegistry(stores.containers);
	registry.load();
	const runtimes = new RuntimeTable(runtimeChoice.binaries);
	const assigner = new EndpointAssigner();
	const networks = await wireNetworks({ config, drivers, registry, assigner, events, logger });
	const tasks = new TaskTable();
	const volumeRegistry = new VolumeRegistry(stores.volumes);
	volumeRegistry.load();
	const volumes = new VolumeService({
		registry: volumeRegistry,
		driver: drivers.volumes,
		trees: drivers.volumeTrees,
		plugins: drivers.volumePlugins,
		containers: registry,
		events,
		clock,
		logger: logger.child({ part: "volumes" }),
	});
	const images = new ImageService(
		{
			store: stores.images,
			content: drivers.content,
			snapshotter: drivers.snapshotter,
			applier: drivers.applier,
			events,
			clock,
			remotes: drivers.remotes,
			uses: stores.uses,
			logger: logger.child({ part: "images" }),
			containers: new RegistryImageUse({ registry, runtime: drivers.runtime, runtimes, tasks, events, clock }),
		},
		{
			platform: { os: "linux", architecture: drivers.host.architecture },
			engineVersion: VERSION,
			maxDownloads: config.registry.maxDownloads,
			maxUploads: config.registry.maxUploads,
		},
	);
	stack.defer(() => images.uses.close());
	const containers = wireContainers({
		config,
		drivers,
		runtimeChoice,
		registry,
		runtimes,
		tasks,
		events,
		images,
		networks,
		assigner,
		volumes,
		logger,
	});
	const { views } = containers;
	const still = new StillVolumes({
		registry: volumeRegistry,
		containers: registry,
		pausing: containers.service,
		logger: logger.child({ part: "volumes" }),
	});
	stack.defer(() => containers.supervisor.close());
	stack.defer(() => containers.health.close());
	stack.defer(() => containers.execs.close());
	const building = wireBuilding({
		config,
		drivers,
		runtimeChoice,
		registry,
		runtimes,
		events,
		images,
		containers,
		logger: logger.child({ part: "build" }),
	});
	stack.defer(() => building.close());
	const consumers = [images.collection, building.collection, images.interruptedPulls];
	const gc = new GcService({ consumers, disk: drivers.disk, clock, logger: logger.child({ part: "gc" }) }, config.gc);
	stack.defer(() => gc.close());
	const buildCache = async () => building.operations.records();
	const system = wireSystem({ config, buildCache, drivers, runtimeChoice, registry, events, images, volumes, views });
	const owned = stack.move();
	let current = config;
	return {
		backends: {
			containers: containers.service,
			streams: containers.streams,
			files: containers.files,
			views,
			execs: containers.execs,
			images,
			builds: building.operations,
			registries: new RegistryService(drivers.remotes),
			buildSessions: building.sessions,
			buildKit: building.buildKit,
			volumes,
			volumeCopies: volumes.copies({ archiver: drivers.archiver, still }),
			networks: containers.networkOperations,
			system,
			gc,
			pins: images.pins,
		},
		async start() {
			await building.recover();
			await images.cleanUp(new Set(registry.all().flatMap(snapshotIds)));
			await building.cleanUp();
			// Its starts by policy go on while the daemon answers already.
			await containers.recovery.recover();
			await drivers.hostNames?.open();
			await still.releaseInterrupted();
			gc.start();
		},
		warmUp() {
			containers.specification.warmUp();
		},
		releaseMemory() {
			drivers.releaseMemory();
		},
		reload(next) {
			const config = reloaded(current, next);
			const choice = withDefault(runtimeChoice, config.containers.runtime);
			containers.creator.reconfigure(daemonDefaults(config, choice));
			gc.reconfigure(config.gc);
			drivers.remotes.reconfigure(config.registry, config.registry.downloadAttempts);
			images.reconfigure(config.registry);
			system.reconfigure(engineSettings(config, choice, drivers.host.hostname), reloadAttributes(config, choice));
			current = config;
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

interface NetworkWiring {
	readonly config: DaemonConfig;
	readonly drivers: Drivers;
	readonly registry: ContainerRegistry;
	readonly assigner: EndpointAssigner;
	readonly events: EventBus;
	readonly logger: Logger;
}

async function wireNetworks(wiring: NetworkWiring): Promise<NetworkService> {
	const { config, drivers, registry, assigner, events, logger } = wiring;
	const { bridge } = config;
	const occupied = await drivers.network.occupiedSubnets();
	const networks = new NetworkService(
		{
			store: drivers.stores.networks,
			driver: drivers.network,
			containers: registry,
			addresses: assigner.addresses,
			events,
			clock: drivers.clock,
			logger,
		},
		{
			bridge: bridge.name,
			v4: bridge.v4,
			...(bridge.v6 === undefined ? {} : { v6: bridge.v6 }),
			mtu: bridge.mtu,
			networkMtu: DEFAULT_NETWORK_MTU,
			interContainer: bridge.interContainer,
			masquerade: bridge.masquerade,
			hostAddress: bridge.hostAddress,
			addressPools: subnetPools(config),
			networkOptions: bridge.networkOptions,
			hostSubnets: () => occupied,
		},
	);
	networks.load();
	return networks;
}

interface SystemWiring {
	readonly config: DaemonConfig;
	readonly drivers: Drivers;
	readonly runtimeChoice: RuntimeChoice;
	readonly registry: ContainerRegistry;
	readonly events: EventBus;
	readonly images: ImageService;
	readonly volumes: VolumeService;
	readonly views: Pick<Backends["views"], "list">;
	readonly buildCache: () => Promise<BuildCacheRecord[]>;
}

function wireSystem(wiring: SystemWiring): SystemService {
	const { config, drivers, runtimeChoice, registry, events, images, volumes, views } = wiring;
	return new SystemService(
		{
			registry,
			snapshotter: drivers.snapshotter,
			events,
			meta: drivers.stores.meta,
			clock: drivers.clock,
			sources: {
				containers: (options) => views.list(options),
				images: (options) => images.list(options),
				layerUsage: () => images.layerUsage(),
				volumes: () => volumes.usage(),
				buildCache: wiring.buildCache,
				openFiles: drivers.openFiles,
				volumeDrivers: () => volumes.drivers(),
				asksHostFirewall: drivers.asksHostFirewall,
				machine: drivers.machine,
			},
		},
		{
			build: {
				version: VERSION,
				gitCommit: "",
				buildTime: "",
				platformVersion: `bun${process.versions.bun}`,
				apiVersion: formatApiVersion(MAX_API_VERSION),
				minApiVersion: formatApiVersion(config.minApiVersion),
			},
			host: drivers.host,
			settings: engineSettings(config, runtimeChoice, drivers.host.hostname),
		},
	);
}
