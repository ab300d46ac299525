import { describe, expect, test } from "bun:test";
import type { ContainerUpdateRequest, HostConfig } from "../../api/engine/container.ts";
import type { HostFacts } from "./host-facts.ts";
import { planUpdate } from "./update.ts";

const HOST = {
	cpuCount: 4,
	onlineCpus: "0-3",
	memoryNodes: "0",
	cgroups: new Proxy({}, { get: () => true }),
} as unknown as HostFacts;
const MIB = 1024 ** 2;

function plan(hostConfig: HostConfig, request: ContainerUpdateRequest, kind = "running") {
	return planUpdate({ id: "abc", hostConfig, lifecycle: { kind } } as never, request, HOST);
}

describe("planUpdate()", () => {
	test("changes what is named and keeps the rest", () => {
		const { hostConfig } = plan({ Memory: 100 * MIB, CpuShares: 5 }, { CpuShares: 7 });
		expect(hostConfig).toEqual({ Memory: 100 * MIB, CpuShares: 7 });
	});

	test("lifts the limit of processes by zero and by -1", () => {
		for (const limit of [0, -1]) {
			const { hostConfig, resources } = plan({ PidsLimit: 44 }, { PidsLimit: limit });
			expect([hostConfig.PidsLimit, resources]).toMatchObject([0, { pids: { limit: 4_194_304 } }]);
		}
		expect(plan({ PidsLimit: 44 }, { PidsLimit: null, CpuShares: 7 }).resources).toMatchObject({ pids: { limit: 44 } });
	});

	test("tells the kernel nothing when only the restart policy changes", () => {
		const { hostConfig, resources } = plan({}, { RestartPolicy: { Name: "always" } });
		expect(hostConfig.RestartPolicy).toMatchObject({ Name: "always" });
		expect(resources).toBeUndefined();
	});

	test("refuses a restart policy for a container with --rm", () => {
		expect(() => plan({ AutoRemove: true }, { RestartPolicy: { Name: "always" } })).toThrow(
			"Restart policy cannot be updated because AutoRemove is enabled for the container",
		);
	});

	test("refuses CPU limits of both kinds", () => {
		expect(() => plan({ NanoCpus: 1e9 }, { CpuPeriod: 50_000 })).toThrow(
			"Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
		);
		expect(() => plan({ CpuQuota: 50_000 }, { NanoCpus: 1e9 })).toThrow(
			"Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
		);
	});

	test("refuses more memory than memory and swap together", () => {
		expect(() => plan({ Memory: 10 * MIB, MemorySwap: 20 * MIB }, { Memory: 30 * MIB })).toThrow(
			"Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
		);
	});

	test("refuses a container that is being removed", () => {
		expect(() => plan({}, { CpuShares: 2 }, "removing")).toThrow(
			'Container is marked for removal and cannot be "update".',
		);
	});
});
