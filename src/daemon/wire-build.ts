/** The builder, wired bottom-up. */
import type { Platform } from "../api/oci/image.ts";
import { digestHex, sha256 } from "../base/digest.ts";
import { errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { parseCacheRules } from "../core/build/gc-rules.ts";
import { BuildCache } from "../engine/build/build-cache.ts";
import { BuildCacheCollection } from "../engine/build/build-cache-collection.ts";
import { BuildOperations } from "../engine/build/build-operations.ts";
import { BuildService } from "../engine/build/build-service.ts";
import { BuildSessions } from "../engine/build/build-sessions.ts";
import { ClassicBuilds } from "../engine/build/classic-builds.ts";
import { CachedContextPlaces } from "../engine/build/context-places.ts";
import { RunningBuilds } from "../engine/build/running-builds.ts";
import { StepCommands } from "../engine/build/step-commands.ts";
import { StepCopies } from "../engine/build/step-copies.ts";
import { StepMounts } from "../engine/build/step-mounts.ts";
import { StepNetworks } from "../engine/build/step-networks.ts";
import { StepRunner } from "../engine/build/step-runner.ts";
import { StepSolver } from "../engine/build/step-solver.ts";
import { ContextArchives } from "../engine/build/whole-contexts.ts";
import type { ContainerRegistry } from "../engine/container/registry.ts";
import type { RuntimeTable } from "../engine/container/runtimes.ts";
import type { EventBus } from "../engine/event/event-bus.ts";
import type { ImageService } from "../engine/image/image-service.ts";
import type { BuildKitBackend } from "../server/backends.ts";
import type { DaemonConfig } from "./config.ts";
import { daemonDefaults } from "./container-defaults.ts";
import type { RuntimeChoice } from "./programs.ts";
import { VERSION } from "./version.ts";
import { wireBuildKit } from "./wire-buildkit.ts";
import type { Containers } from "./wire-containers.ts";
import type { Drivers } from "./wire-drivers.ts";

/** Of which BuildKit's clients may ask whether programs run here. */
const KNOWN_PLATFORMS: readonly Platform[] = [
	"amd64",
	"386",
	"arm64",
	"arm",
	"riscv64",
	"ppc64le",
	"s390x",
	"loong64",
].map((architecture) => ({ os: "linux", architecture }));

export interface BuildWiring {
	readonly config: DaemonConfig;
	readonly drivers: Drivers;
	readonly runtimeChoice: RuntimeChoice;
	readonly registry: ContainerRegistry;
	readonly runtimes: RuntimeTable;
	readonly events: EventBus;
	readonly images: ImageService;
	readonly containers: Containers;
	readonly logger: Logger;
}

export type Building = ReturnType<typeof wireBuilding>;

export function wireBuilding(wiring: BuildWiring) {
	const { config, drivers, registry, runtimes, events, images, containers, logger } = wiring;
	const { clock, host, snapshotter } = drivers;
	const { layers, index } = images.workshop;
	const { agentSockets, directories, files } = drivers.build;
	const cache = new BuildCache({ store: drivers.stores.build, directories, clock, logger });
	cache.attach(
		{
			layers,
			imageLayers: () =>
				new Set(index.all().flatMap(({ chainId }) => layers.stack(chainId).map((layer) => layer.chainId))),
			collectGarbage: () => images.collectGarbage(),
		},
		parseCacheRules(config.builder, directories.totalBytes()),
	);
	layers.retain(() => cache.layers());
	const networks = new StepNetworks(containers.networking);
	const runner = new StepRunner(
		{
			store: drivers.stores.build,
			runtime: drivers.runtime,
			runtimes,
			networks,
			endpointNetworks: containers.endpointNetworks,
			containers: registry,
			files: drivers.files,
			specification: containers.specification,
			removeCgroups: (path) => drivers.monitor.removeCgroups(path),
			logger,
		},
		{ defaults: () => daemonDefaults(config, wiring.runtimeChoice), host },
	);
	const solver = new StepSolver({
		cache,
		layers,
		snapshotter,
		files,
		copies: new StepCopies({ files, hostFiles: drivers.files }),
		commands: new StepCommands(
			runner,
			new StepMounts({ cache, files, directories, agentSockets }),
			drivers.build.canRun,
		),
		clock,
	});
	const platform = { os: "linux", architecture: host.architecture };
	const running = new RunningBuilds();
	const remotes = drivers.build.remotes;
	const common = {
		images,
		cache,
		solver,
		snapshotter,
		directories,
		files,
		remotes,
		platform,
		clock,
		archiver: drivers.archiver,
		applier: drivers.applier,
		running,
	};
	const contexts = new ContextArchives({ files, directories, remotes });
	const classic = new ClassicBuilds({ ...common, contexts });
	const builder = new BuildService(common);
	const places = new CachedContextPlaces(cache);
	const sessions = new BuildSessions({ builder, places, copies: drivers.build.contextCopies, wholeContexts: contexts });
	const operations = new BuildOperations(classic, cache, events);
	const { canRun } = drivers.build;
	const [gateway] = config.bridge.hostGatewayAddresses;
	let buildKitBackend: Promise<BuildKitBackend> | undefined;
	const buildKit = () => {
		buildKitBackend ??= wireBuildKit({
			builds: {
				builder,
				places,
				copies: drivers.build.contextCopies,
				wholeContexts: contexts,
				files,
				directories,
				images,
				trees: drivers.build.trees,
				platform,
				logger,
			},
			usage: { cache, operations, clock },
			facts: () => ({
				id: digestHex(sha256(`worker ${host.hostname} ${config.dataRoot}`)).slice(0, 25),
				hostname: host.hostname,
				platforms: [
					platform,
					...KNOWN_PLATFORMS.filter((each) => each.architecture !== platform.architecture && canRun(each)),
				],
				rules: parseCacheRules(config.builder, directories.totalBytes()),
				hostGateway: gateway ?? containers.networking.hostGateways({ gateways: { v4: undefined, v6: undefined } })[0],
				version: VERSION,
			}),
		});
		return buildKitBackend;
	};
	return {
		sessions,
		operations,
		buildKit,
		/** What the disk budget removes. */
		collection: new BuildCacheCollection({ cache, layers, events }),
		/** Before images and containers: what a killed daemon's steps have left, which may still run. */
		recover: () => runner.recover(),
		/** After images. */
		cleanUp: () => cache.cleanUp(),
		async close() {
			await running.close();
			await runner.settled();
			await networks.close();
			await cache.close();
			await directories.settled();
			// One that was started early may still run, and nobody be left to wait for it.
			await snapshotter
				.flush()
				.catch((error: unknown) => logger.warn("failed to flush layers", { error: errorMessage(error) }));
		},
	};
}
