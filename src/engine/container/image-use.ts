import { type Clock, settlesWithin } from "../../base/clock.ts";
import { ConflictError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import { imageMounts } from "../../core/container/image-mounts.ts";
import type { ContainerRuntime } from "../../core/container/runtime.ts";
import { isRunning, transition } from "../../core/container/state.ts";
import type { EventPublisher } from "../../core/event/event-bus.ts";
import type { CommittedImage, ContainerImageUse, ImageUser } from "../../core/image/container-image-use.ts";
import { publishContainerEvent } from "./container-events.ts";
import type { ContainerRegistry } from "./registry.ts";
import type { RuntimeTable } from "./runtimes.ts";
import type { TaskTable } from "./tasks.ts";

/** From the runtime's word that nothing runs to the monitor's that it has ended. */
const END_PATIENCE_MS = 2_000;

export interface ContainerImageUseDependencies {
	readonly registry: ContainerRegistry;
	readonly runtime: ContainerRuntime;
	readonly runtimes: RuntimeTable;
	readonly tasks: TaskTable;
	readonly events: EventPublisher;
	readonly clock: Clock;
}

/** Containers as the image service sees them. */
export class RegistryImageUse implements ContainerImageUse {
	readonly #deps: ContainerImageUseDependencies;

	constructor(deps: ContainerImageUseDependencies) {
		this.#deps = deps;
	}

	users(): readonly ImageUser[] {
		return this.#deps.registry.all().flatMap((record) => [userOf(record), ...mountUsersOf(record)]);
	}

	find(name: string) {
		const record = this.#deps.registry.resolve(name);
		return { ...userOf(record), name: record.name, config: record.config };
	}

	async whileStill<T>(id: string, pause: boolean, work: () => Promise<T>): Promise<T> {
		const { registry } = this.#deps;
		return await registry.locked(id, async () => {
			const record = registry.get(id);
			if (record.lifecycle.kind === "removing" || record.lifecycle.kind === "dead")
				throw new ConflictError(`You cannot commit container ${id} which is being removed`);
			return pause && record.lifecycle.kind === "running" ? await this.#whilePaused(record, work) : await work();
		});
	}

	committed(id: string, image: CommittedImage): void {
		const record = this.#deps.registry.find(id);
		if (record === undefined) return;
		publishContainerEvent(this.#deps.events, record, "commit", {
			comment: image.comment,
			imageID: image.id,
			imageRef: image.reference,
		});
	}

	/**
	 * The state is stored like that of any pause: a crash leaves a container that says it is paused. One that ends by itself
	 * meanwhile holds still, too: its pause or its resumption may fail.
	 */
	async #whilePaused<T>(record: ContainerRecord, work: () => Promise<T>): Promise<T> {
		const { registry, runtime, runtimes, events } = this.#deps;
		const { id } = record;
		const binary = runtimes.get(record.runtime);
		registry.update(id, { lifecycle: transition(record.lifecycle, { kind: "paused" }, id) });
		try {
			await this.#unlessEnded(id, () => runtime.pause(binary, id));
			publishContainerEvent(events, record, "pause");
			return await work();
		} finally {
			await this.#unlessEnded(id, () => runtime.resume(binary, id));
			const { lifecycle } = registry.get(id);
			if (lifecycle.kind === "paused")
				registry.update(id, { lifecycle: transition(lifecycle, { kind: "resumed" }, id) });
			publishContainerEvent(events, record, "unpause");
		}
	}

	async #unlessEnded(id: string, work: () => Promise<void>): Promise<void> {
		try {
			await work();
		} catch (error) {
			const exited = this.#deps.tasks.get(id)?.exited;
			if (exited !== undefined && !(await settlesWithin(this.#deps.clock, END_PATIENCE_MS, exited))) throw error;
		}
	}
}

/** An image that is only mounted can be removed by force, as with Docker: the container keeps the layers. */
function mountUsersOf(record: ContainerRecord): ImageUser[] {
	return imageMounts(record).flatMap(({ image }) =>
		image?.id === undefined || image.id === record.imageId
			? []
			: [{ id: record.id, imageId: image.id, isRunning: false }],
	);
}

function userOf(record: ContainerRecord): ImageUser {
	return {
		id: record.id,
		imageId: record.imageId,
		isRunning: isRunning(record.lifecycle) || record.lifecycle.kind === "restarting",
	};
}
