import type { Digest } from "../../base/digest.ts";

/** BuildKit's names, as `docker builder du` and `docker system df -v` show them. */
export type CacheKind =
	| "regular"
	| "source.local"
	| "source.git.checkout"
	| "exec.cachemount"
	| "frontend"
	| "internal";

/** What a step gave: a layer on its parent, or nothing but the fact that it was done. */
export interface StepResult {
	/** Topmost layer of the stage after the step; undefined while it has none. */
	readonly chainId: Digest | undefined;
	/** The step changed no file: it has no layer of its own. */
	readonly isEmpty: boolean;
	/** Milliseconds since the epoch. The image's history has it, so that a cached build gives the same image. */
	readonly createdAt: number;
}

/** One thing that later builds may use again. Replaced as a whole at each change. */
export interface CacheRecord {
	/** 25 letters and digits, as BuildKit's. */
	readonly id: string;
	readonly kind: CacheKind;
	/** For people: the instruction, or what the directory is for. */
	readonly description: string;
	/** What it is found by: by definition, by content. Empty for directories. */
	readonly keys: readonly Digest[];
	/** Records this one stands on. */
	readonly parents: readonly string[];
	readonly result?: StepResult;
	/** Of mounts, contexts and downloads: the directory is named after the record. */
	readonly isDirectory?: true;
	readonly sizeBytes: number;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	readonly lastUsedAt: number;
	readonly usageCount: number;
}

/** A RUN under way, noted before anything of it is made, so that the next daemon can remove what it finds. */
export interface StepRun {
	readonly id: string;
	/** OCI runtime, by name in the daemon's configuration. */
	readonly runtime: string;
	/** Below the mount points of the cgroup hierarchies. */
	readonly cgroupsPath: string;
}

/** Durable cache records and intents. Every method is one transaction. */
export interface BuildStore {
	records(): CacheRecord[];
	/** Inserts or replaces, and deletes. @param removed IDs */
	save(changed: readonly CacheRecord[], removed: readonly string[]): void;
	runs(): StepRun[];
	/** Survives the death of the process, not of the machine: nothing of a run does. */
	putRun(run: StepRun): void;
	deleteRun(id: string): void;
}
