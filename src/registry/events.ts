import type { Digest } from "../base/digest.ts";

/** Something that happened to a repository. */
export interface RegistryEvent {
	readonly action: "push" | "pull" | "mount" | "delete";
	readonly repository: string;
	readonly digest?: Digest;
	readonly tag?: string;
	readonly mediaType?: string;
	readonly sizeBytes?: number;
	/** Where a mounted blob came from. */
	readonly fromRepository?: string;
	readonly request: RequestInfo;
}

export interface RequestInfo {
	readonly id: string;
	readonly address: string;
	readonly host: string;
	readonly method: string;
	readonly userAgent: string;
	readonly user: string;
}

export class RegistryEvents {
	readonly #listeners: ((event: RegistryEvent) => void)[] = [];

	/** Listeners must not throw and must not wait. */
	listen(listener: (event: RegistryEvent) => void): void {
		this.#listeners.push(listener);
	}

	emit(event: RegistryEvent): void {
		for (const listener of this.#listeners) listener(event);
	}
}
