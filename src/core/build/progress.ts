/** What a build tells while it runs, in the shape of BuildKit's SolveStatus. Times are milliseconds since the epoch. */
import type { Digest } from "../../base/digest.ts";

/** A step. Sent anew, whole, each time something in it changes. */
export interface VertexStatus {
	readonly digest: Digest;
	/** `[stage 2/4] RUN make`, `[internal] load build context`, `exporting to image`. */
	readonly name: string;
	readonly inputs: readonly Digest[];
	readonly started?: number;
	readonly completed?: number;
	readonly cached?: boolean;
	readonly error?: string;
	/** Vertices that belong together are shown under that name. */
	readonly group?: string;
}

/** A part of a step that has a measure: a transfer, an unpacking. */
export interface ProgressStatus {
	readonly id: string;
	readonly vertex: Digest;
	readonly name: string;
	readonly current: number;
	/** 0 when it is not known. */
	readonly total: number;
	readonly started?: number;
	readonly completed?: number;
}

/** Output of a step. */
export interface VertexLog {
	readonly vertex: Digest;
	/** 1 stdout, 2 stderr. */
	readonly stream: 1 | 2;
	readonly data: Uint8Array;
	readonly timestamp: number;
}

export interface VertexWarning {
	readonly vertex: Digest;
	readonly level: number;
	/** One line. */
	readonly short: string;
	readonly detail: readonly string[];
	readonly url?: string;
	/** Lines of the Dockerfile, 1-based. */
	readonly ranges?: readonly { readonly start: number; readonly end: number }[];
}

export type BuildEvent =
	| { readonly kind: "vertex"; readonly vertex: VertexStatus }
	| { readonly kind: "status"; readonly status: ProgressStatus }
	| { readonly kind: "log"; readonly log: VertexLog }
	| { readonly kind: "warning"; readonly warning: VertexWarning };

/** Takes events of one build, in order. */
export interface ProgressSink {
	/** Never throws. Implementations bound what they keep: they may drop or join `status` events, and cut `log`s saying so. */
	emit(event: BuildEvent): void;
	/** Resolves when there is room for more output; a step's reader waits for it, so that a slow client slows the step down. */
	ready(): Promise<void>;
}
