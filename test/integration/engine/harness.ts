/** The engine's container services as the daemon wires them, on a machine in memory. */

import type { EventMessage } from "../../../src/api/engine/event.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { sha256 } from "../../../src/base/digest.ts";
import { NotFoundError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { HostFacts } from "../../../src/core/container/host-facts.ts";
import type { ImageRecord } from "../../../src/core/image/image-record.ts";
import { NameTable } from "../../../src/core/network/name-table.ts";
import { readInvocation } from "../../../src/daemon/config.ts";
import { wireContainers } from "../../../src/daemon/wire-containers.ts";
import { MemoryContainerStore } from "../../../src/drivers/store-memory/container-store.ts";
import { MemoryNetworkStore } from "../../../src/drivers/store-memory/network-store.ts";
import { MemoryVolumeStore } from "../../../src/drivers/store-memory/volume-store.ts";
import { FsVolumeTrees } from "../../../src/drivers/volume-local/fs-volume-trees.ts";
import { ContainerRegistry } from "../../../src/engine/container/registry.ts";
import { RuntimeTable } from "../../../src/engine/container/runtimes.ts";
import { TaskTable } from "../../../src/engine/container/tasks.ts";
import { EventBus } from "../../../src/engine/event/event-bus.ts";
import { EndpointAssigner } from "../../../src/engine/network/endpoint-assigner.ts";
import { NetworkService } from "../../../src/engine/network/network-service.ts";
import { VolumeRegistry } from "../../../src/engine/volume/volume-registry.ts";
import { VolumeService } from "../../../src/engine/volume/volume-service.ts";
import {
	FakeFiles,
	FakeMachine,
	FakeNetwork,
	FakeRuntime,
	FakeSnapshotter,
	FakeVolumes,
	fakeMonitor,
	noVolumePlugins,
} from "./fake-machine.ts";
import { Fault } from "./fault.ts";

const IMAGE: ImageRecord = {
	id: sha256("image"),
	config: { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } },
	chainId: undefined,
	parent: undefined,
	sizeBytes: 1,
	lastTaggedAt: 0,
	repoDigests: [],
	tags: ["docker.io/library/busybox:latest"],
};

const HOST: HostFacts = {
	cpuCount: 2,
	onlineCpus: "0-1",
	memoryNodes: "0",
	cgroupVersion: 2,
	cgroups: {
		memoryLimit: true,
		swapLimit: true,
		memoryReservation: true,
		memorySwappiness: true,
		oomKillDisable: true,
		cpuShares: true,
		cpuQuota: true,
		cpuRealtime: true,
		cpuset: true,
		pidsLimit: true,
		blkioWeight: true,
		blkioWeightDevice: true,
		blkioThrottle: true,
	},
	hostname: "host",
	kernelRelease: "6.12.0",
	architecture: "amd64",
	appArmor: false,
	capabilities: new Set(["CAP_CHOWN"]),
	hardLimits: {},
	canRaiseLimits: true,
};

/** What survives a daemon: the machine and what is stored. */
export class World {
	readonly machine = new FakeMachine();
	readonly containers = new MemoryContainerStore();
	readonly networks = new MemoryNetworkStore();
	readonly volumes = new MemoryVolumeStore();
}

export type Harness = Awaited<ReturnType<typeof startDaemon>>;

/** A daemon's life on the world, from its recovery on. @param fault how it dies */
export async function startDaemon(world: World, fault = new Fault(), clock: Clock = systemClock) {
	const guard = <T extends object>(target: T, name: string) => fault.guard(target, name);
	const { machine } = world;
	const invocation = readInvocation(["--data-root", "/fake", "--bip", "10.9.0.1/24"], {});
	if (invocation.kind !== "run") throw new Error("the harness's configuration is wrong");
	const { config } = invocation;
	const events = new EventBus(clock);
	const messages: EventMessage[] = [];
	events.subscribe((message) => messages.push(message));
	const registry = new ContainerRegistry(guard(world.containers, "containers"));
	registry.load();
	const network = guard(new FakeNetwork(machine), "network") as never;
	const assigner = new EndpointAssigner();
	const networks = new NetworkService(
		{
			store: world.networks,
			driver: network,
			containers: registry,
			addresses: assigner.addresses,
			events,
			clock,
			logger: silentLogger,
		},
		{
			bridge: "fake0",
			v4: { address: "10.9.0.1/24" },
			mtu: 1500,
			networkMtu: 1500,
			interContainer: true,
			masquerade: true,
			hostAddress: "0.0.0.0",
			addressPools: [],
			networkOptions: {},
			hostSubnets: () => [],
		},
	);
	networks.load();
	const volumeRegistry = new VolumeRegistry(guard(world.volumes, "volumes"));
	volumeRegistry.load();
	const volumes = new VolumeService({
		registry: volumeRegistry,
		driver: guard(new FakeVolumes(machine), "volume"),
		trees: new FsVolumeTrees(),
		plugins: noVolumePlugins,
		containers: registry,
		events,
		clock,
		logger: silentLogger,
	});
	const snapshotter = new FakeSnapshotter(machine);
	const binaries = [{ name: "crun", path: "/usr/bin/crun", args: [] }];
	const services = wireContainers({
		config,
		runtimeChoice: { binaries, defaultRuntime: "crun" },
		runtimes: new RuntimeTable(binaries),
		tasks: new TaskTable(),
		registry,
		events,
		networks,
		assigner,
		volumes,
		logger: silentLogger,
		images: {
			uses: { touch() {} },
			resolve(reference: string) {
				if (reference === "busybox" || reference === IMAGE.id) return IMAGE;
				throw new NotFoundError(`No such image: ${reference}:latest`);
			},
		} as never,
		drivers: {
			clock,
			host: HOST,
			network,
			names: new NameTable(),
			nameServer: { async open() {}, close() {}, closeAll() {} },
			snapshotter: guard(snapshotter, "snapshotter"),
			files: guard(new FakeFiles(machine), "files"),
			runtime: guard(new FakeRuntime(machine, guard), "runtime"),
			monitor: fakeMonitor,
			seccomp: undefined,
		} as never,
	});
	const { starts } = await services.recovery.recover();
	snapshotter.cleanUpFor(new Set(registry.all().map(({ id }) => id)));
	return {
		...services,
		registry,
		volumes,
		networks,
		messages,
		starts,
		fault,
		/** Waits for every clean-up that has begun. */
		settle: async () => {
			await starts;
			await new Promise((resolve) => setTimeout(resolve, 5));
			await services.supervisor.close();
		},
	};
}

export const API = { major: 1, minor: 51 } as const;
