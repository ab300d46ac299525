import type { Platform } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import type { BuildRequest } from "../../core/build/request.ts";
import type { LayerLease } from "../image/layer-lease.ts";
import type { CacheLease } from "./build-cache.ts";
import type { ContextFiles } from "./context-files.ts";
import type { OutputPart } from "./output-frames.ts";
import type { RemoteSources } from "./remote-sources.ts";
import type { StageViews } from "./stage-views.ts";

/** What steps of one build share. */
export interface BuildScope {
	readonly request: BuildRequest;
	readonly leases: { readonly cache: CacheLease; readonly layers: LayerLease };
	readonly contexts: ContextFiles;
	readonly views: StageViews;
	readonly remotes: RemoteSources;
	/** The finished stage's topmost layer, by its ID in the plan; waits for it. */
	chainOf(stage: number): Promise<Digest | undefined>;
	/** Part of the keys of steps that are not to be taken from the cache. */
	readonly nonce: string;
	/** Steps that use what this scope has; they may go on for other builds when this one is over. */
	readonly pending: Set<Promise<unknown>>;
	readonly hostname: string;
}

/** Who is told what becomes of a step. */
export interface StepListener {
	/** It was in the cache: nothing runs. */
	cached?(): void;
	/** A command begins. */
	running?(id: string): void;
	output?(part: OutputPart): Promise<void> | void;
}

/** Where a command runs. */
export interface CommandTarget {
	/** Of the run, as of a container. */
	readonly id: string;
	/** The mounted root file system. */
	readonly rootPath: string;
	readonly platform: Platform;
}
