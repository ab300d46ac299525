import type { ContainerConfig, ContainerCreateRequest } from "../../src/api/engine/container.ts";
import { sha256 } from "../../src/base/digest.ts";
import { NotFoundError } from "../../src/base/errors.ts";
import type { ContainerRecord } from "../../src/core/container/container-record.ts";
import { normaliseCreate, type SettledContainer } from "../../src/core/container/create.ts";
import { DEFAULTS, HOST } from "./host-facts.ts";

export const CONTAINER_ID = "0123456789ab".padEnd(64, "f");

/** Settles a create request on the test machine; the image has the command `sh`. */
export function settle(
	request: ContainerCreateRequest = {},
	minor = 51,
	imageConfig: ContainerConfig = { Cmd: ["sh"] },
): SettledContainer {
	let volumes = 0;
	return normaliseCreate({
		containerId: CONTAINER_ID,
		request: { Image: "busybox", ...request },
		imageConfig,
		version: { major: 1, minor },
		defaults: DEFAULTS,
		host: HOST,
		findContainer: (name) => {
			if (name !== "other") throw new NotFoundError(`No such container: ${name}`);
			return { id: "e".repeat(64), mounts: [], hostConfig: {} };
		},
		newVolumeName: () => `anonymous${++volumes}`,
	});
}

/** A record made from a request, as creation stores it. */
export function makeRecord(
	request: ContainerCreateRequest = {},
	changes: Partial<ContainerRecord> = {},
): ContainerRecord {
	const { config, hostConfig, mounts, endpoints } = settle(request);
	return {
		id: CONTAINER_ID,
		version: 1,
		name: "web",
		createdAt: Date.UTC(2026, 0, 1),
		imageId: sha256("image"),
		imageReference: "busybox",
		config,
		hostConfig,
		mounts,
		endpoints: Object.fromEntries(Object.entries(endpoints).map(([name, requested]) => [name, { requested }])),
		mappings: [],
		lifecycle: { kind: "created" },
		stoppedByUser: false,
		restartCount: 0,
		runtime: "crun",
		platform: "linux",
		logPath: "/logs/current",
		...changes,
	};
}
