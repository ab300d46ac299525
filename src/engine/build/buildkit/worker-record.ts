/** This daemon as a BuildKit worker. */
import type { WORKER_RECORD } from "../../../api/buildkit/control.ts";
import type { MessageOf } from "../../../api/buildkit/message.ts";
import type { Platform } from "../../../api/oci/image.ts";
import type { CacheRule } from "../../../core/build/gc-rules.ts";

export interface WorkerFacts {
	readonly id: string;
	readonly hostname: string;
	/** This machine's first. */
	readonly platforms: readonly Platform[];
	readonly rules: readonly CacheRule[];
	/** What `host-gateway` stands for; undefined without a bridge. */
	readonly hostGateway: string | undefined;
	readonly version: string;
}

/** Clients ask for what BuildKit of this version has; the API of Docker 28.5 comes with it. */
const BUILDKIT_VERSION = "v0.25.1";

export function workerRecord(facts: WorkerFacts): Partial<MessageOf<typeof WORKER_RECORD>> {
	const { id, hostname, platforms, rules, hostGateway, version } = facts;
	const labels = new Map([
		["org.mobyproject.buildkit.worker.executor", "oci"],
		["org.mobyproject.buildkit.worker.hostname", hostname],
		// Clients take it for a store that can export archives and caches, push by itself, and build for several platforms.
		["org.mobyproject.buildkit.worker.snapshotter", "overlayfs"],
	]);
	if (hostGateway !== undefined) labels.set("org.mobyproject.buildkit.worker.moby.host-gateway-ip", hostGateway);
	return {
		id,
		labels,
		platforms: platforms.map(({ os, architecture, variant = "" }) => ({ os, architecture, variant, osVersion: "" })),
		gcPolicy: rules.map(({ all, filters, reservedBytes, maxUsedBytes, minFreeBytes }) => ({
			all,
			filters: [...filters].flatMap(([key, values]) => values.map((value) => `${key}==${value}`)),
			reservedSpace: reservedBytes,
			maxUsedSpace: maxUsedBytes,
			minFreeSpace: minFreeBytes,
		})),
		buildkitVersion: { package: "gantry", version: BUILDKIT_VERSION, revision: version },
	};
}
