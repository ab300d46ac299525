import type { WireEvent } from "../../../core/build/session/build-call.ts";
import type { BuildState } from "./build-state.ts";

/** Shows a build while it runs. Times are milliseconds since the epoch. */
export interface ProgressView {
	/** What is known so far. */
	readonly state: BuildState;
	show(events: readonly WireEvent[], now: number): void;
	/** Called several times a second. */
	tick(now: number): void;
	/** The build is over: leaves what shall stay. */
	finish(now: number): void;
}
