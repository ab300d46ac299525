/** The services around containers, wired bottom-up. */

import { join } from "node:path";
import { NotFoundError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ContainerRecord } from "../core/container/container-record.ts";
import { imageIds } from "../core/container/image-mounts.ts";
import { PendingAttachments } from "../engine/container/attachments.ts";
import { BackgroundWork } from "../engine/container/background-work.ts";
import { ContainerChanges } from "../engine/container/changes.ts";
import { ContainerService } from "../engine/container/container-service.ts";
import { ContainerCreator, type ImageResolver } from "../engine/container/create.ts";
import { ContainerFiles } from "../engine/container/files.ts";
import { ContainerFilesystem } from "../engine/container/filesystem.ts";
import { HealthMonitor } from "../engine/container/health-monitor.ts";
import { TaskLauncher } from "../engine/container/launcher.ts";
import { ContainerLogs } from "../engine/container/logs.ts";
import { ContainerPruner } from "../engine/container/prune.ts";
import { ContainerRecovery } from "../engine/container/recovery.ts";
import type { ContainerRegistry } from "../engine/container/registry.ts";
import { ContainerRemoval } from "../engine/container/removal.ts";
import { RunCleaner } from "../engine/container/run-cleaner.ts";
import type { RuntimeTable } from "../engine/container/runtimes.ts";
import { SpecificationWriter } from "../engine/container/specification.ts";
import { ContainerStarter } from "../engine/container/starter.ts";
import { ContainerSampler } from "../engine/container/stats.ts";
import { ContainerStopper } from "../engine/container/stopping.ts";
import { ContainerStreams } from "../engine/container/streams.ts";
import { ContainerSupervisor } from "../engine/container/supervisor.ts";
import type { TaskTable } from "../engine/container/tasks.ts";
import { ContainerViews } from "../engine/container/views.ts";
import { ContainerWaits } from "../engine/container/waits.ts";
import type { EventBus } from "../engine/event/event-bus.ts";
import { ExecProcessBuilder } from "../engine/exec/exec-process.ts";
import { ExecService } from "../engine/exec/exec-service.ts";
import type { ImageService } from "../engine/image/image-service.ts";
import { ContainerNames } from "../engine/network/container-names.ts";
import { ContainerNetworking } from "../engine/network/container-networking.ts";
import { ContainerPorts } from "../engine/network/container-ports.ts";
import type { EndpointAssigner } from "../engine/network/endpoint-assigner.ts";
import { NetworkConnector } from "../engine/network/network-connector.ts";
import { NetworkFilesWriter } from "../engine/network/network-files.ts";
import { NetworkOperations } from "../engine/network/network-operations.ts";
import { endpointNetwork, type NetworkService } from "../engine/network/network-service.ts";
import { PortUpdater } from "../engine/network/port-updater.ts";
import type { VolumeService } from "../engine/volume/volume-service.ts";
import type { DaemonConfig } from "./config.ts";
import { daemonDefaults, specDefaults } from "./container-defaults.ts";
import { findShim, type RuntimeChoice } from "./programs.ts";
import type { Drivers } from "./wire-drivers.ts";

export interface ContainerWiring {
	readonly config: DaemonConfig;
	readonly drivers: Drivers;
	readonly runtimeChoice: RuntimeChoice;
	readonly registry: ContainerRegistry;
	readonly runtimes: RuntimeTable;
	readonly tasks: TaskTable;
	readonly events: EventBus;
	readonly images: ImageService;
	readonly networks: NetworkService;
	readonly assigner: EndpointAssigner;
	readonly volumes: VolumeService;
	readonly logger: Logger;
}

export type Containers = ReturnType<typeof wireContainers>;

export function wireContainers(wiring: ContainerWiring) {
	const { config, drivers, registry, runtimes, tasks, events, images, networks, assigner, volumes, logger } = wiring;
	const { clock, files, host, monitor, network, runtime, snapshotter } = drivers;
	const defaults = daemonDefaults(config, wiring.runtimeChoice);
	const specification = specDefaults(config);
	const waits = new ContainerWaits();
	const attachments = new PendingAttachments();
	const background = new BackgroundWork(logger);
	const names = new ContainerNames(
		{ table: drivers.names, server: drivers.nameServer },
		{ nameservers: config.dns.servers, options: config.dns.options },
	);
	const ports = new ContainerPorts({ networks, driver: network, containers: registry });
	const networking = new ContainerNetworking({
		networks,
		driver: network,
		containers: registry,
		assigner,
		ports,
		names,
		events,
	});
	const portUpdater = new PortUpdater({ registry, tasks, networking, ports, logger });
	const filesystem = new ContainerFilesystem({ snapshotter, volumes, files });
	const cleaner = new RunCleaner({
		runtime,
		runtimes,
		networking,
		filesystem,
		files,
		tasks,
		removeCgroups: (record) => monitor.removeCgroups(writer.cgroupsPath(record)),
	});
	const { servers, search, options } = config.dns;
	const networkFiles = new NetworkFilesWriter(
		{ registry, networking, files },
		{ nameservers: servers, search, options, hostGateways: config.bridge.hostGatewayAddresses },
	);
	const connector = new NetworkConnector({
		networks,
		networking,
		assigner,
		names,
		files: networkFiles,
		driver: network,
		registry,
	});
	const writer = new SpecificationWriter(
		{ registry, files, networkFiles, monitor, seccomp: drivers.seccomp },
		{
			host,
			daemon: specification,
			cgroupParent: config.containers.cgroupParent,
			// The monitor is an init, too, when it is called by that name.
			initPath: config.containers.initPath === "" ? findShim() : config.containers.initPath,
			initByDefault: config.containers.init,
			recursiveReadOnly: true,
		},
	);
	const launcher = new TaskLauncher({
		runtime,
		runtimes,
		networking,
		filesystem,
		files,
		specification: writer,
		attachments,
		tasks,
		cleaner,
		clock,
		logger,
	});
	const execs = new ExecService({
		registry,
		runtime,
		runtimes,
		processes: new ExecProcessBuilder(files, { host, daemon: specification }),
		events,
		clock,
		logger,
	});
	const health = new HealthMonitor({ registry, execs, events, clock, logger });
	const runEnded = (id: string) => {
		health.end(id);
		execs.containerEnded(id);
	};
	// The last container of an image that was untagged meanwhile takes its layers with it.
	const removed = (record: ContainerRecord) => {
		for (const id of imageIds(record)) if (isKnown(images, id)) images.uses.touch(id);
		if (imageIds(record).some((id) => !isKnown(images, id)))
			void background.start(record.imageId, "remove unused layers", () => images.collectGarbage());
	};
	// Supervisor, starter and removal set one another off.
	const removal: ContainerRemoval = new ContainerRemoval(
		{ registry, tasks, waits, attachments, background, cleaner, filesystem, files, snapshotter, events, clock },
		{ cancelRestart: (id) => supervisor.cancelRestart(id), runEnded, removed },
	);
	const supervisor: ContainerSupervisor = new ContainerSupervisor(
		{ registry, tasks, waits, cleaner, background, events, clock, logger },
		{
			runStarted: (record) => health.begin(record),
			runEnded,
			restart: (id) => registry.locked(id, async () => void (await starter.start(id, "policy"))),
			removeEnded: (record, task) => removal.removeEnded(record, task),
		},
	);
	const starter = new ContainerStarter({
		registry,
		launcher,
		networking,
		attachments,
		background,
		watcher: supervisor,
		events,
		clock,
	});
	const stopper = new ContainerStopper(
		{ registry, tasks, waits, runtime, runtimes, events, clock },
		supervisor,
		starter,
	);
	const endpointNetworks = {
		nameOf: (reference: string) => networks.nameOf(reference),
		find(name: string) {
			const record = networks.find(name);
			return record === undefined ? undefined : endpointNetwork(record);
		},
	};
	const creator = new ContainerCreator(
		{ registry, images: usedImages(images), networks: endpointNetworks, snapshotter, filesystem, files, events, clock },
		{ defaults, host, platform: `linux/${host.architecture}` },
	);
	const service = new ContainerService({
		registry,
		creator,
		starter,
		stopper,
		changes: new ContainerChanges({
			registry,
			tasks,
			runtime,
			runtimes,
			host,
			events,
			renamed: (record) => networking.renamed(record),
			ports: portUpdater,
		}),
		removal,
		pruner: new ContainerPruner({ registry, removal, snapshotter, events, clock }),
		supervisor,
		waits,
	});
	const streams = new ContainerStreams({
		registry,
		tasks,
		attachments,
		logs: new ContainerLogs({ reader: drivers.logs, waits, background }),
		sampler: new ContainerSampler({ registry, monitor, network, clock }),
		monitor,
		events,
	});
	const containerFiles = new ContainerFiles({
		registry,
		tasks,
		filesystem,
		files,
		snapshotter,
		archiver: drivers.archiver,
		applier: drivers.applier,
		background,
		events,
		logger,
	});
	const recovery = new ContainerRecovery(
		{ runtime, network, snapshotter, files },
		{
			registry,
			networks,
			networking,
			portUpdater,
			volumes,
			filesystem,
			supervisor,
			starter,
			removal,
			cleaner,
			runtimes,
			events,
			clock,
			logger,
		},
	);
	const views = new ContainerViews({ registry, images, networks, volumes, execs, files, snapshotter, clock }, (id) =>
		join(config.execRoot, "netns", id),
	);
	const networkOperations = new NetworkOperations(networks, connector);
	return {
		service,
		networkOperations,
		views,
		streams,
		files: containerFiles,
		execs,
		health,
		supervisor,
		creator,
		recovery,
		networking,
		endpointNetworks,
		specification: writer,
	};
}

/** Making a container of an image is a use of it. */
function usedImages(images: ImageService): ImageResolver {
	return {
		resolve(reference) {
			const image = images.resolve(reference);
			images.uses.touch(image.id);
			return image;
		},
	};
}

function isKnown(images: ImageService, imageId: string): boolean {
	try {
		images.resolve(imageId);
		return true;
	} catch (error) {
		if (error instanceof NotFoundError) return false;
		throw error;
	}
}
