import { type Clock, settlesWithin } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { Task } from "../../core/container/runtime.ts";
import { transition } from "../../core/container/state.ts";
import { TaskStartError } from "../../core/container/task-start-error.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { ContainerNetworking } from "../network/container-networking.ts";
import { PortUnavailableError } from "../network/container-ports.ts";
import type { NetworkPlan } from "../network/network-plan.ts";
import type { PendingAttachments } from "./attachments.ts";
import type { BackgroundWork } from "./background-work.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { LaunchedTask, TaskLauncher } from "./launcher.ts";
import type { ContainerRegistry } from "./registry.ts";

/** Who is told of a run that has begun. */
export interface RunWatcher {
	watch(id: string, task: Task): void;
}

export interface StarterDependencies {
	readonly registry: ContainerRegistry;
	readonly launcher: TaskLauncher;
	readonly networking: ContainerNetworking;
	readonly attachments: PendingAttachments;
	readonly background: BackgroundWork;
	readonly watcher: RunWatcher;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

/** `user`: restart count and back-off begin anew. `policy`: a restart, which goes on counting. */
export type StartOccasion = "user" | "policy";

/** As long as a port that is in use is hoped to become free. */
const CLEAN_UP_PATIENCE_MS = 2000;

const EXIT_CODES = { "not-found": 127, "not-executable": 126, other: 128 } as const;

export class ContainerStarter {
	readonly #deps: StarterDependencies;

	constructor(deps: StarterDependencies) {
		this.#deps = deps;
	}

	/**
	 * Starts a container whose lock the caller holds.
	 * @throws NotModifiedError when it runs, ConflictError, TaskStartError and what else can go wrong; the record says so then
	 */
	async start(id: string, occasion: StartOccasion): Promise<ContainerRecord> {
		const { registry, networking, background } = this.#deps;
		transition(registry.get(id).lifecycle, { kind: "start-requested" }, id);
		await background.settled(id);
		const record = registry.get(id);
		const lifecycle = transition(record.lifecycle, { kind: "start-requested" }, id);
		let plan: NetworkPlan;
		try {
			plan = await this.#plan(record);
		} catch (error) {
			// Nothing was made yet; the failure is noted all the same, as inspect shows it.
			this.#recordFailure(registry.update(id, { lifecycle, stoppedByUser: false }), error);
			throw error;
		}
		let starting: ContainerRecord;
		try {
			starting = registry.update(id, {
				lifecycle,
				endpoints: plan.endpoints,
				mappings: plan.mappings,
				...(plan.names === undefined ? {} : { config: { ...record.config, ...plan.names } }),
				stoppedByUser: false,
				...(occasion === "user" ? { restartCount: 0 } : {}),
			});
		} catch (error) {
			plan.reservation?.release();
			await networking.tearDown({ ...record, endpoints: plan.endpoints });
			throw error;
		}
		return await this.#launch(starting, plan);
	}

	/** Ports and namespaces of runs that have just ended may still be given back: worth a second look. */
	async #plan(record: ContainerRecord): Promise<NetworkPlan> {
		const { networking, background } = this.#deps;
		try {
			return networking.plan(record);
		} catch (error) {
			if (!(error instanceof PortUnavailableError) || background.isIdle) throw error;
			await this.#cleanedUp();
			return networking.plan(record);
		}
	}

	/** Waits for the clean-ups under way, but not for one that hangs. */
	async #cleanedUp(): Promise<void> {
		await settlesWithin(this.#deps.clock, CLEAN_UP_PATIENCE_MS, this.#deps.background.allSettled());
	}

	async #launch(starting: ContainerRecord, plan: NetworkPlan): Promise<ContainerRecord> {
		const { launcher, registry, watcher, events, networking } = this.#deps;
		let launched: LaunchedTask;
		try {
			launched = await launcher.launch(starting, plan);
		} catch (error) {
			this.#recordFailure(starting, error);
			this.#deps.attachments.abandon(starting.id);
			throw error;
		}
		const started = { kind: "started", pid: launched.pid, at: launched.startedAt } as const;
		let record: ContainerRecord;
		try {
			record = registry.update(starting.id, {
				lifecycle: transition(starting.lifecycle, started, starting.id),
				...(launched.health === undefined ? {} : { health: launched.health }),
			});
		} catch (error) {
			await launcher.abort(starting, launched);
			throw error;
		}
		watcher.watch(record.id, launched.task);
		networking.publish(record, "connect");
		publishContainerEvent(events, record, "start");
		return record;
	}

	#recordFailure(starting: ContainerRecord, error: unknown): void {
		const exitCode = error instanceof TaskStartError ? EXIT_CODES[error.reason] : EXIT_CODES.other;
		const failed = { kind: "start-failed", exitCode, error: errorMessage(error), at: this.#deps.clock.now() } as const;
		this.#deps.registry.update(starting.id, {
			lifecycle: transition(starting.lifecycle, failed, starting.id),
			endpoints: withoutAssignments(starting),
			mappings: [],
		});
	}
}

/** Endpoints of a container that does not run. */
export function withoutAssignments(record: ContainerRecord): ContainerRecord["endpoints"] {
	return Object.fromEntries(Object.entries(record.endpoints).map(([name, { requested }]) => [name, { requested }]));
}
