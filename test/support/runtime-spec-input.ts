import type { ContainerCreateRequest } from "../../src/api/engine/container.ts";
import type { RuntimeSpecInput } from "../../src/core/container/runtime-spec.ts";
import { makeRecord } from "./container-record.ts";
import { HOST } from "./host-facts.ts";

/** What the spec of a container made from `request` is built from, on the test machine. */
export function specInput(
	request: ContainerCreateRequest = {},
	changes: Partial<RuntimeSpecInput> = {},
): RuntimeSpecInput {
	return {
		record: makeRecord(request),
		rootfsPath: "/rootfs",
		cgroupsPath: "/gantry/id",
		userFiles: {
			passwd: "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/:\nann:x:1000:1000::/:\n",
			group: "root:x:0:\nwww:x:33:\naudio:x:29:ann,www\nstaff:x:50:ann\n",
		},
		namespaces: { network: "/netns/id" },
		volumeSources: new Map(),
		files: { hosts: "/c/hosts", hostname: "/c/hostname", resolvConf: "/c/resolv.conf" },
		host: HOST,
		recursiveReadOnly: true,
		findDevices: () => [],
		allDevices: () => [],
		blockDevices: new Map(),
		daemon: { ulimits: [], noNewPrivileges: false },
		...changes,
	};
}
