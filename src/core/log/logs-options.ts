export interface LogsOptions {
	readonly stdout: boolean;
	readonly stderr: boolean;
	readonly follow: boolean;
	readonly timestamps: boolean;
	/** Lines; undefined: all. */
	readonly tail?: number;
	/** Nanoseconds since the epoch. */
	readonly sinceNs?: bigint;
	readonly untilNs?: bigint;
	/** Adds the log attributes (`details=1`). */
	readonly details: boolean;
}
