import type { ContainerConfig } from "../../api/engine/container.ts";
import type { Digest } from "../../base/digest.ts";

/** A container as images see it. */
export interface ImageUser {
	readonly id: string;
	readonly imageId: Digest;
	/** Paused and restarting ones count, too. */
	readonly isRunning: boolean;
}

export interface CommittedImage {
	readonly id: Digest;
	/** Its name, empty when it has none. */
	readonly reference: string;
	readonly comment: string;
}

/** What images need of containers. */
export interface ContainerImageUse {
	users(): readonly ImageUser[];
	/** @throws NotFoundError `No such container: x`, ConflictError for an ambiguous ID */
	find(name: string): ImageUser & { readonly name: string; readonly config: ContainerConfig };
	/** Runs `work` with the container paused when it runs and `pause` is set, and not being removed. */
	whileStill<T>(id: string, pause: boolean, work: () => Promise<T>): Promise<T>;
	/** Publishes the container's `commit` event. */
	committed(id: string, image: CommittedImage): void;
}
