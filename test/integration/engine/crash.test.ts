/** The daemon dies before each of its calls to the machine and the disk, one after the other; the next one puts things right. */
import { describe, expect, test } from "bun:test";
import type { HostConfig } from "../../../src/api/engine/container.ts";
import { isRunning } from "../../../src/core/container/state.ts";
import { Fault } from "./fault.ts";
import { API, type Harness, startDaemon, World } from "./harness.ts";

const NEVER = new AbortController().signal;
const PORTS: HostConfig = { PortBindings: { "80/tcp": [{ HostPort: "8080" }] } };

/** What the caller was told, step by step: only that has to hold after the death. */
class Told {
	id = "";
	created = false;
	started = false;
	stopped = false;
	removed = false;
}

type Scenario = (daemon: Harness, told: Told) => Promise<void>;

async function create(daemon: Harness, told: Told, cmd: string[], hostConfig: HostConfig): Promise<void> {
	const { Id } = await daemon.service.create(
		{ Image: "busybox", Cmd: cmd, HostConfig: { ...hostConfig, Mounts: [{ Type: "volume", Target: "/data" }] } },
		{ name: "web", platform: "", version: API },
	);
	told.id = Id;
	told.created = true;
}

const SCENARIOS: Record<string, Scenario> = {
	"create, start, stop, remove": async (daemon, told) => {
		await create(daemon, told, ["sleep"], PORTS);
		await daemon.service.start(told.id);
		told.started = true;
		await daemon.service.stop(told.id, {});
		told.stopped = true;
		await daemon.service.remove(told.id, { force: false, volumes: true, link: false });
		told.removed = true;
	},
	"run --rm of a program that ends": async (daemon, told) => {
		await create(daemon, told, ["exit", "3"], { ...PORTS, AutoRemove: true });
		const { result } = await daemon.service.wait(told.id, "removed", NEVER);
		await daemon.service.start(told.id);
		await result;
		told.removed = true;
	},
	"start, restart, remove by force": async (daemon, told) => {
		await create(daemon, told, ["sleep"], PORTS);
		await daemon.service.start(told.id);
		told.started = true;
		await daemon.service.restart(told.id, {});
		await daemon.service.remove(told.id, { force: true, volumes: true, link: false });
		told.removed = true;
	},
	"a start that fails": async (daemon, told) => {
		await create(daemon, told, ["nosuch"], PORTS);
		await daemon.service.start(told.id);
	},
};

/** What the records entitle their containers to hold, and nothing else. */
function entitled(daemon: Harness): string[] {
	const entries: string[] = [];
	for (const record of daemon.registry.all()) {
		const { id } = record;
		entries.push(`directory ${id}`, `snapshot ${id}`);
		if (!isRunning(record.lifecycle)) continue;
		entries.push(`monitor ${id}`, `runtime state ${id}`, `bundle ${id}`, `sandbox ${id}`, `mount ${id}`);
		for (const { assigned } of Object.values(record.endpoints)) entries.push(`endpoint ${assigned?.endpointId}`);
		for (const { hostAddress, hostPort, protocol } of record.mappings)
			entries.push(`port ${hostAddress}:${hostPort}/${protocol}`);
	}
	return entries.sort();
}

async function dieAt(scenario: Scenario, call: number) {
	const world = new World();
	const fault = new Fault(call);
	const told = new Told();
	try {
		const first = await startDaemon(world, fault);
		const life = scenario(first, told).then(() => first.settle());
		// Nobody waits for a dead daemon's answer; what it still does reaches nothing.
		life.catch(() => {});
		await Promise.race([life, fault.died]);
	} catch (error) {
		// Its death, or what the scenario is about.
		if (!fault.isDead && !(error instanceof Error && error.message.includes("nosuch"))) throw error;
	}
	await new Promise((resolve) => setTimeout(resolve, 2));
	const next = await startDaemon(world);
	await next.settle();
	return { world, next, told, died: fault.isDead };
}

describe.each(Object.entries(SCENARIOS))("%s", (_name, scenario) => {
	test("at whatever call the daemon dies, the next one loses nothing and finds everything", async () => {
		let call = 1;
		for (let died = true; died; call++) {
			const outcome = await dieAt(scenario, call);
			died = outcome.died;
			const { world, next, told } = outcome;
			const record = told.created ? next.registry.find(told.id) : undefined;
			const where = `call ${call}`;
			expect({ where, held: world.machine.held() }).toEqual({ where, held: entitled(next) });
			if (told.removed) expect({ where, record }).toEqual({ where, record: undefined });
			else if (told.stopped && record !== undefined)
				expect({ where, kind: record.lifecycle.kind }).toEqual({ where, kind: "exited" });
			else if (told.created && record === undefined)
				// Only a removal that was under way may have been completed.
				expect({ where, started: told.started || world.machine.held().length === 0 }).toEqual({ where, started: true });
			for (const { id } of next.registry.all())
				await next.service.remove(id, { force: true, volumes: true, link: false });
			await next.settle();
			expect({ where, held: world.machine.held() }).toEqual({ where, held: [] });
			await create(next, new Told(), ["sleep"], PORTS);
		}
		expect(call).toBeGreaterThan(10);
	}, 60_000);
});

describe("a daemon that comes back", () => {
	async function twoDaemons(cmd: string[], hostConfig: HostConfig, between: (world: World, id: string) => void) {
		const world = new World();
		const fault = new Fault();
		const first = await startDaemon(world, fault);
		const told = new Told();
		await create(first, told, cmd, hostConfig);
		await first.service.start(told.id);
		const before = first.registry.get(told.id);
		await first.supervisor.close();
		between(world, told.id);
		const next = await startDaemon(world);
		await next.starts;
		return { world, next, id: told.id, before };
	}

	test("adopts what runs, with its address and ports", async () => {
		const { next, id, before } = await twoDaemons(["sleep"], PORTS, () => {});
		const after = next.registry.get(id);
		expect({ ...after, version: 0 }).toEqual({ ...before, version: 0 });
		await next.service.stop(id, {});
		await next.settle();
	});

	test("gives nobody the address of what it adopted", async () => {
		const { next, id } = await twoDaemons(["sleep"], {}, () => {});
		const { Id: other } = await next.service.create(
			{ Image: "busybox", Cmd: ["sleep"] },
			{ name: "other", platform: "", version: API },
		);
		await next.service.start(other);
		const address = (container: string) => next.registry.get(container).endpoints["bridge"]?.assigned?.address;
		expect(address(other)).not.toBe(address(id));
		for (const container of [id, other])
			await next.service.remove(container, { force: true, volumes: true, link: false });
		await next.settle();
	});
});
