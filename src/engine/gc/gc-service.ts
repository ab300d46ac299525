import type { GcEntry, GcRequest, GcResponse } from "../../api/engine/gc.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { Logger } from "../../base/logger.ts";
import type { DiskSpace, GcConsumer, GcKind } from "../../core/gc/consumer.ts";
import { type GcDecision, type GcPlan, type GcRemoval, planCollection } from "../../core/gc/plan.ts";
import { type GcPolicy, hasLimit, overridePolicy, spaceBytes } from "../../core/gc/policy.ts";

export interface GcServiceDependencies {
	/** Those that share the budget. */
	readonly consumers: readonly GcConsumer[];
	readonly disk: DiskSpace;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** Keeps images and build cache within one budget: by itself every so often when the policy says so, and when asked. */
export class GcService {
	readonly #deps: GcServiceDependencies;
	readonly #mutex = new KeyedMutex();
	#policy: GcPolicy;
	#timer: Timer | undefined;
	#isClosed = false;

	constructor(deps: GcServiceDependencies, policy: GcPolicy) {
		this.#deps = deps;
		this.#policy = policy;
	}

	/** Begins to collect by itself, when the policy is on. */
	start(): void {
		this.#schedule();
	}

	/** Of a reloaded configuration; holds from the next collection on. */
	reconfigure(policy: GcPolicy): void {
		this.#policy = policy;
		if (this.#timer !== undefined || policy.isEnabled) this.#schedule();
	}

	/**
	 * One collection, by the policy and what the request says instead. One at a time.
	 * @throws InvalidParameterError
	 */
	async collect(request: GcRequest): Promise<GcResponse> {
		const policy = overridePolicy(this.#policy, request);
		if (request.DryRun === true) {
			const plan = this.#plan(policy);
			return response(plan, policy, { removals: plan.removals, isDryRun: true });
		}
		return await this.#mutex.run("collect", () => this.#collect(policy));
	}

	/** Waits for a collection under way. */
	async close(): Promise<void> {
		this.#isClosed = true;
		this.#timer?.cancel();
		await this.#mutex.run("collect", () => {});
	}

	#schedule(): void {
		this.#timer?.cancel();
		this.#timer = undefined;
		const { isEnabled, intervalMs } = this.#policy;
		if (this.#isClosed || !isEnabled) return;
		this.#timer = this.#deps.clock.after(intervalMs, () => void this.#collectByItself());
	}

	async #collectByItself(): Promise<void> {
		const { logger } = this.#deps;
		try {
			await this.#mutex.run("collect", () => this.#collect(this.#policy));
		} catch (error) {
			logger.error("disk space could not be collected", { error: errorMessage(error) });
		} finally {
			this.#schedule();
		}
	}

	#plan(policy: GcPolicy): GcPlan {
		const { consumers, disk, clock } = this.#deps;
		return planCollection(
			{
				now: clock.now(),
				items: consumers.flatMap((consumer) =>
					consumer.items(policy.keep).map((item) => ({ ...item, kind: consumer.kind })),
				),
				heldParts: consumers.flatMap((consumer) => consumer.heldParts()),
				disk: disk.measure(),
			},
			policy,
		);
	}

	async #collect(policy: GcPolicy): Promise<GcResponse> {
		const { consumers, clock, logger } = this.#deps;
		const plannedAt = clock.now();
		const plan = this.#plan(policy);
		const removals: GcRemoval[] = [];
		const freed = new Map<GcKind, number>();
		for (const removal of plan.removals) {
			if (this.#isClosed) break;
			const consumer = consumers.find(({ kind }) => kind === removal.kind);
			const freedBytes = await consumer?.remove(removal.id, plannedAt, policy.keep);
			if (freedBytes === undefined) continue;
			const { kind, name, reason } = removal;
			logger.info("removed to free disk space", { kind, name, freedBytes, reason });
			removals.push({ ...removal, freedBytes });
			freed.set(kind, (freed.get(kind) ?? 0) + freedBytes);
		}
		for (const consumer of consumers) {
			const bytes = freed.get(consumer.kind);
			if (bytes !== undefined) consumer.collected(bytes);
		}
		const result = response(plan, policy, { removals, isDryRun: false });
		const { WantedSpace, FreedSpace } = result;
		if (FreedSpace < WantedSpace) logger.warn("disk budget cannot be kept", { WantedSpace, FreedSpace });
		return result;
	}
}

function response(
	plan: GcPlan,
	policy: GcPolicy,
	{ removals, isDryRun }: { readonly removals: readonly GcRemoval[]; readonly isDryRun: boolean },
): GcResponse {
	const { disk } = plan;
	const { maxUsed, minFree, unusedForMs } = policy;
	return {
		DryRun: isDryRun,
		HasLimits: hasLimit(policy),
		...(maxUsed === undefined ? {} : { MaxUsedSpace: spaceBytes(maxUsed, disk) }),
		...(minFree === undefined ? {} : { MinFreeSpace: spaceBytes(minFree, disk) }),
		...(unusedForMs === undefined ? {} : { UnusedForMs: unusedForMs }),
		UsedSpace: plan.usedBytes,
		AvailableSpace: disk.availableBytes,
		TotalSpace: disk.totalBytes,
		WantedSpace: plan.wantedBytes,
		FreedSpace: removals.reduce((sum, { freedBytes }) => sum + freedBytes, 0),
		Removed: removals.map((removal) => ({ ...entry(removal), Freed: removal.freedBytes })),
		Kept: plan.kept.map(entry),
	};
}

function entry({ kind, id, name, lastUsedAt, sizeBytes, reason }: GcDecision): GcEntry {
	return {
		Kind: kind,
		ID: id,
		Name: name,
		LastUsed: new Date(lastUsedAt).toISOString(),
		Size: sizeBytes,
		Reason: reason,
	};
}
