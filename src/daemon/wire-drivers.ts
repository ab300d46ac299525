/** Everything that touches the machine, opened bottom-up. The only file that says `new` on a driver. */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Platform } from "../api/oci/image.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { HostFacts } from "../core/container/host-facts.ts";
import { NameTable } from "../core/network/name-table.ts";
import { parseResolvConf } from "../core/network/resolv-conf.ts";
import { FsContextCopies } from "../drivers/build-context-fs/fs-context-copy.ts";
import { canRunPlatform } from "../drivers/build-fs/emulation.ts";
import { FsBuildDirectories } from "../drivers/build-fs/fs-build-directories.ts";
import { FsBuildFiles } from "../drivers/build-fs/fs-build-files.ts";
import { FsTreeWalk } from "../drivers/build-fs/fs-tree-walk.ts";
import { UnixAgentSockets } from "../drivers/build-fs/unix-agent-sockets.ts";
import { FetchedFiles } from "../drivers/build-remote/fetched-files.ts";
import { LocalContainerFiles } from "../drivers/container-files/local-container-files.ts";
import { FsContentStore } from "../drivers/content-fs/fs-content-store.ts";
import { FsLayerApplier } from "../drivers/layer-fs/fs-layer-applier.ts";
import { FsTreeArchiver } from "../drivers/layer-fs/fs-tree-archiver.ts";
import { LayerWorkers } from "../drivers/layer-fs/layer-workers.ts";
import { mountUnclaimedControllers, readCgroupLayout } from "../drivers/linux/cgroups.ts";
import { FileSystemSpace } from "../drivers/linux/disk-space.ts";
import { describeMachine, readHostFacts } from "../drivers/linux/host-facts.ts";
import { releaseFreedMemory } from "../drivers/linux/memory.ts";
import { LinuxResourceMonitor } from "../drivers/linux/resource-monitor.ts";
import { LibseccompCompiler } from "../drivers/linux/seccomp.ts";
import { LogFileReader } from "../drivers/log-files/log-file-reader.ts";
import { HostNameServer } from "../drivers/name-server/host-name-server.ts";
import { ResolvConfFile } from "../drivers/name-server/resolv-conf-file.ts";
import { SandboxNameServer } from "../drivers/name-server/sandbox-name-server.ts";
import { LinuxBridgeDriver } from "../drivers/network-bridge/bridge-driver.ts";
import { forgetEnvironmentProxies } from "../drivers/remotes-http/environment-proxies.ts";
import { HttpRemotes } from "../drivers/remotes-http/http-remotes.ts";
import { ShimRuntime } from "../drivers/runtime-shim/shim-runtime.ts";
import { openSnapshotter } from "../drivers/snapshot-fs/open-snapshotter.ts";
import { SqliteBuildStore } from "../drivers/store-sqlite/build-store.ts";
import { SqliteContainerStore } from "../drivers/store-sqlite/container-store.ts";
import { openDatabase } from "../drivers/store-sqlite/database.ts";
import { SqliteImageStore } from "../drivers/store-sqlite/image-store.ts";
import { SqliteMetaStore } from "../drivers/store-sqlite/meta-store.ts";
import { SqliteNetworkStore } from "../drivers/store-sqlite/network-store.ts";
import { SqliteUseStore } from "../drivers/store-sqlite/use-store.ts";
import { SqliteVolumeStore } from "../drivers/store-sqlite/volume-store.ts";
import { FsVolumeDriver } from "../drivers/volume-local/fs-volume-driver.ts";
import { FsVolumeTrees } from "../drivers/volume-local/fs-volume-trees.ts";
import { HttpVolumePlugins } from "../drivers/volume-plugins/http-volume-plugins.ts";
import { DOCKER_PLUGIN_PATHS, PluginDirectories } from "../drivers/volume-plugins/plugin-directories.ts";
import type { DaemonConfig } from "./config.ts";
import { firewallTableName, inputGateName } from "./container-defaults.ts";
import type { DriverGuard } from "./fail-point.ts";
import { findShim, layerWorkerScript } from "./programs.ts";
import { VERSION } from "./version.ts";

/** Network namespaces kept ready: making one costs more than all the rest of a container's network. */
const WARM_SANDBOXES = 3;

const RESOLV_CONF = "/etc/resolv.conf";

/** On fewer, decompression alone keeps them busy, and unpacking is as quick on the main thread. */
const UNPACKING_CORES = 4;
/** Compressing is worth a thread wherever there is another core: the registry and the network are waited for meanwhile. */
const COMPRESSING_CORES = 2;
const LAYER_WORKER_LIMIT = 4;
const LAYER_WORKER_IDLE_MS = 10_000;

export type Drivers = ReturnType<typeof openDrivers>;

/** @throws UnavailableError, SystemError saying what is missing on the machine */
export function openDrivers(
	config: DaemonConfig,
	logger: Logger,
	{ stack, guard }: { readonly stack: AsyncDisposableStack; readonly guard: DriverGuard },
) {
	const { dataRoot, execRoot } = config;
	const clock: Clock = systemClock;
	const cgroups = prepareCgroups(logger);
	const host: HostFacts = readHostFacts(cgroups);
	const database = openDatabase(join(dataRoot, "gantry.db"));
	stack.defer(() => database.close());
	const content = new FsContentStore(join(dataRoot, "content"));
	const layerWorkers = openLayerWorkers(join(dataRoot, "content"));
	if (layerWorkers !== undefined) stack.use(layerWorkers);
	const network = new LinuxBridgeDriver(
		{ clock, logger: logger.child({ part: "network" }) },
		{
			directory: execRoot,
			tableName: firewallTableName(config),
			gateName: config.bridge.inputFirewall ? inputGateName(config) : undefined,
			poolSize: WARM_SANDBOXES,
			forwarding: config.bridge.ipForward,
			directRouting: config.bridge.directRouting,
		},
	);
	stack.defer(() => network.close());
	const names = new NameTable();
	const nameLogger = logger.child({ part: "names" });
	// Containers do not ask the host's own names: they would see those of other networks.
	const hostServers = () =>
		parseResolvConf(readFileSync(RESOLV_CONF, "utf8")).nameservers.filter(
			(server) => !config.hostDns.enabled || server !== config.hostDns.address,
		);
	const nameServer = new SandboxNameServer({ directory: names, hostServers, clock, logger: nameLogger });
	stack.defer(() => nameServer.closeAll());
	const resolvConf = new ResolvConfFile(RESOLV_CONF, firewallTableName(config), nameLogger);
	// A daemon that was killed has left its line there.
	resolvConf.remove();
	const hostNames = config.hostDns.enabled
		? new HostNameServer(
				{
					directory: names,
					hostServers,
					resolvConf: config.hostDns.resolvConf ? resolvConf : undefined,
					clock,
					logger: nameLogger,
				},
				config.hostDns.address,
			)
		: undefined;
	stack.defer(() => hostNames?.close());
	const volumeTrees = new FsVolumeTrees();
	const archiver = new FsTreeArchiver();
	return {
		clock,
		host,
		content: guard("content", content),
		network: guard("network", network),
		names,
		nameServer: guard("nameServer", nameServer),
		hostNames,
		stores: {
			build: guard("buildStore", new SqliteBuildStore(database)),
			containers: guard("containerStore", new SqliteContainerStore(database)),
			images: guard("imageStore", new SqliteImageStore(database)),
			meta: new SqliteMetaStore(database),
			uses: new SqliteUseStore(database),
			networks: guard("networkStore", new SqliteNetworkStore(database)),
			volumes: guard("volumeStore", new SqliteVolumeStore(database)),
		},
		snapshotter: guard("snapshotter", openSnapshotter(join(dataRoot, "snapshots"), config.storageDriver)),
		applier: guard(
			"applier",
			new FsLayerApplier(content, layerWorkers, { unpacksInThreads: availableParallelism() >= UNPACKING_CORES }),
		),
		archiver,
		build: {
			directories: guard("buildDirectories", new FsBuildDirectories(join(dataRoot, "build"))),
			files: new FsBuildFiles({ archiver }),
			remotes: new FetchedFiles(config.registry.proxies),
			agentSockets: new UnixAgentSockets(),
			canRun: (platform: Platform) => canRunPlatform(host.architecture, platform),
			contextCopies: new FsContextCopies(),
			trees: new FsTreeWalk(),
		},
		remotes: openRemotes(config, clock, logger),
		logs: new LogFileReader(),
		volumes: guard("volumes", new FsVolumeDriver(join(dataRoot, "volumes"), volumeTrees)),
		volumeTrees,
		volumePlugins: new HttpVolumePlugins(new PluginDirectories(pluginPaths(execRoot)), clock),
		files: guard("files", new LocalContainerFiles({ dataRoot, execRoot })),
		machine: describeMachine,
		disk: new FileSystemSpace(dataRoot),
		releaseMemory() {
			network.releaseMemory();
			releaseFreedMemory();
		},
		asksHostFirewall: () => network.asksHostFirewall,
		openFiles: () => readdirSync("/proc/self/fd").length,
		monitor: new LinuxResourceMonitor(cgroups),
		seccomp: new LibseccompCompiler({ logger: logger.child({ part: "seccomp" }) }),
		runtime: guard(
			"runtime",
			stack.use(new ShimRuntime({ shimPath: findShim(), execRoot, clock, logger: logger.child({ part: "runtime" }) })),
		),
	};
}

/** Docker's own directories, and one of this daemon's alone. */
function pluginPaths(execRoot: string) {
	const own = join(execRoot, "plugins");
	const { sockets, specifications } = DOCKER_PLUGIN_PATHS;
	return { sockets: [own, ...sockets], specifications: [own, ...specifications] };
}

function openLayerWorkers(contentRoot: string): LayerWorkers | undefined {
	const cores = availableParallelism();
	if (cores < COMPRESSING_CORES) return undefined;
	const limit = Math.min(cores >> 1, LAYER_WORKER_LIMIT);
	return new LayerWorkers({ script: layerWorkerScript(), contentRoot, limit, idleMs: LAYER_WORKER_IDLE_MS });
}

function openRemotes({ registry }: DaemonConfig, clock: Clock, logger: Logger): HttpRemotes {
	forgetEnvironmentProxies(process.env);
	return new HttpRemotes({
		clock,
		settings: registry,
		hostDirectories: registry.hostDirectories,
		proxies: registry.proxies,
		attempts: registry.downloadAttempts,
		userAgent: `gantry/${VERSION} (linux)`,
		logger,
	});
}

/** crun refuses a hybrid machine with a controller left on the v2 side. */
function prepareCgroups(logger: Logger) {
	const repairs = mountUnclaimedControllers();
	for (const { controller, mountPoint, error } of repairs)
		if (error === undefined) logger.info("cgroup controller was mounted", { controller, mountPoint });
		else logger.warn("cgroup controller could not be mounted", { controller, mountPoint, error });
	return readCgroupLayout();
}
