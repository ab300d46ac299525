import { ApiError } from "../client/api-error.ts";
import type { CliContext } from "./context.ts";
import { describeError } from "./describe-error.ts";

/** How many targets are worked on at once. */
const PARALLEL_LIMIT = 50;

export interface TargetOptions {
	/** An object that is not there is reported as no error (`rm -f`). */
	isMissingIgnored?: boolean;
	/** One after the other. */
	isSequential?: boolean;
	/** Is the name printed when it is done? */
	isQuiet?: boolean;
}

/**
 * Does one thing to several containers, images, volumes or networks: the names that worked go to standard output, in the order given;
 * the errors of the others to standard error. Returns 1 when there were any.
 */
export async function forEachTarget(
	context: CliContext,
	names: readonly string[],
	work: (name: string) => Promise<unknown>,
	options: TargetOptions = {},
): Promise<number> {
	let exitCode = 0;
	const limit = options.isSequential ? 1 : PARALLEL_LIMIT;
	for (let start = 0; start < names.length; start += limit) {
		const batch = names.slice(start, start + limit);
		const results = await Promise.allSettled(batch.map(work));
		for (const [index, result] of results.entries()) {
			if (result.status === "fulfilled") {
				if (!options.isQuiet) context.stdout.line(batch[index] ?? "");
				continue;
			}
			context.stderr.line(describeError(result.reason));
			const isMissing = result.reason instanceof ApiError && result.reason.status === 404;
			if (!(isMissing && options.isMissingIgnored)) exitCode = 1;
		}
	}
	return exitCode;
}
