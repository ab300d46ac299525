import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerNetworking } from "../network/container-networking.ts";
import type { NetworkPlan } from "../network/network-plan.ts";

/** A network for one step at a time. */
export interface StepNetwork {
	readonly plan: NetworkPlan;
	/** Undefined: the host's. */
	readonly namespacePath: string | undefined;
}

interface Sandbox extends StepNetwork {
	readonly record: ContainerRecord;
}

/** Kept ready, at most. */
const IDLE_LIMIT = 3;
const IDLE_MS = 20_000;

/**
 * Network namespaces of steps. Those on the default network are used again by the next step: nothing of a step survives in one, as its
 * processes are gone, and none of them could change its interfaces. A crash leaves them to the network driver, which drops what no
 * container has.
 */
export class StepNetworks {
	readonly #idle: Sandbox[] = [];
	readonly #lent = new Map<string, Sandbox>();
	readonly #networking: ContainerNetworking;
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(networking: ContainerNetworking) {
		this.#networking = networking;
	}

	/** @param record of the step; its endpoints are settled here. @throws as ContainerNetworking.plan */
	async lend(record: ContainerRecord): Promise<StepNetwork> {
		const ready = isShareable(record) ? this.#idle.pop() : undefined;
		const sandbox = ready ?? (await this.#make(record));
		this.#lent.set(record.id, sandbox);
		return sandbox;
	}

	/** The step's processes have ended. Idempotent. */
	async giveBack(record: ContainerRecord): Promise<void> {
		const sandbox = this.#lent.get(record.id);
		if (sandbox === undefined) return;
		this.#lent.delete(record.id);
		if (!isShareable(record) || this.#idle.length >= IDLE_LIMIT) return await this.#networking.tearDown(sandbox.record);
		this.#idle.push(sandbox);
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.close().catch(() => undefined), IDLE_MS);
		this.#timer.unref?.();
	}

	/** Removes those that nobody uses. */
	async close(): Promise<void> {
		clearTimeout(this.#timer);
		const idle = this.#idle.splice(0);
		await Promise.all(idle.map(({ record }) => this.#networking.tearDown(record)));
	}

	async #make(record: ContainerRecord): Promise<Sandbox> {
		const plan = this.#networking.plan(record);
		const owner = { ...record, endpoints: plan.endpoints };
		try {
			const namespacePath = await this.#networking.setUp(owner, plan);
			return { record: owner, plan, namespacePath };
		} catch (error) {
			await this.#networking.tearDown(owner);
			throw error;
		} finally {
			plan.reservation?.release();
		}
	}
}

/** The default network, and nothing about the step that lets it change its namespace. */
function isShareable({ hostConfig }: ContainerRecord): boolean {
	return hostConfig.NetworkMode === "bridge" && hostConfig.Privileged !== true;
}
