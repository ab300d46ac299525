import type { Duplex } from "node:stream";

/** Attach to a container; `stream` is in multiplexed frames, or raw when `terminal`. */
export interface AttachSession {
	readonly terminal: boolean;
	readonly stream: Duplex;
	/** Called when the client typed the detach keys, before the stream is cut: publishes the `detach` event. */
	readonly onDetach?: () => void;
}
