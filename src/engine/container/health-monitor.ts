import type { Clock, Timer } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import {
	type HealthPlan,
	INITIAL_HEALTH,
	nextProbeDelayMs,
	type ProbeOutcome,
	planHealth,
	step,
} from "../../core/container/health.ts";
import { isRunning } from "../../core/container/state.ts";
import { formatTime } from "../../core/container/time-text.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { ExecService } from "../exec/exec-service.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerRegistry } from "./registry.ts";

const OUTPUT_LIMIT_BYTES = 4096;

export interface HealthMonitorDependencies {
	readonly registry: ContainerRegistry;
	readonly execs: ExecService;
	readonly events: EventPublisher;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** One run of a container under watch. */
interface Watch {
	readonly plan: HealthPlan;
	readonly startedAt: number;
	timer: Timer | undefined;
}

/** Probes running containers that have a health check, one probe after the other, and records what comes of it. */
export class HealthMonitor {
	readonly #deps: HealthMonitorDependencies;
	readonly #watches = new Map<string, Watch>();

	constructor(deps: HealthMonitorDependencies) {
		this.#deps = deps;
	}

	/** A run has begun, or was adopted. */
	begin(record: ContainerRecord): void {
		this.end(record.id);
		const plan = planHealth(record.config.Healthcheck, record.config.Shell);
		if (plan === undefined || !isRunning(record.lifecycle)) return;
		const watch: Watch = { plan, startedAt: record.lifecycle.startedAt, timer: undefined };
		this.#watches.set(record.id, watch);
		this.#schedule(record.id, watch);
	}

	/** The run is over; a probe under way counts no more. */
	end(id: string): void {
		this.#watches.get(id)?.timer?.cancel();
		this.#watches.delete(id);
	}

	close(): void {
		for (const id of [...this.#watches.keys()]) this.end(id);
	}

	#schedule(id: string, watch: Watch): void {
		const { registry, clock, logger } = this.#deps;
		const health = registry.find(id)?.health ?? INITIAL_HEALTH;
		const delayMs = nextProbeDelayMs(watch.plan, health, clock.now() - watch.startedAt);
		watch.timer = clock.after(delayMs, () => {
			void this.#probe(id, watch)
				.catch((error: unknown) => {
					logger.error("health check failed", { container: id, error: errorMessage(error) });
				})
				.finally(() => {
					if (this.#watches.get(id) === watch) this.#schedule(id, watch);
				});
		});
	}

	async #probe(id: string, watch: Watch): Promise<void> {
		const { registry, clock } = this.#deps;
		// A frozen container cannot answer, and is not ill for that.
		if (registry.find(id)?.lifecycle.kind !== "running") return;
		const startedAt = clock.now();
		const outcome = await this.#run(id, watch.plan);
		const endedAt = clock.now();
		await registry.locked(id, () => {
			if (this.#watches.get(id) !== watch) return;
			this.#record(id, watch, outcome, startedAt, endedAt);
		});
	}

	async #run(id: string, plan: HealthPlan): Promise<ProbeOutcome> {
		const request = { Cmd: [...plan.command], AttachStdout: true, AttachStderr: true };
		try {
			const { exitCode, output } = await this.#deps.execs.probe(id, request, {
				timeoutMs: plan.timeoutMs,
				limitBytes: OUTPUT_LIMIT_BYTES,
			});
			return exitCode === undefined ? { kind: "timed-out", output } : { kind: "ended", exitCode, output };
		} catch (error) {
			return { kind: "failed", error: errorMessage(error) };
		}
	}

	#record(id: string, watch: Watch, outcome: ProbeOutcome, startedAt: number, endedAt: number): void {
		const { registry, events } = this.#deps;
		const result = step(watch.plan, registry.get(id).health ?? INITIAL_HEALTH, {
			outcome,
			start: formatTime(startedAt),
			end: formatTime(endedAt),
			sinceStartMs: startedAt - watch.startedAt,
		});
		const record = registry.update(id, { health: result.health });
		if (result.changedTo !== undefined) publishContainerEvent(events, record, `health_status: ${result.changedTo}`);
	}
}
