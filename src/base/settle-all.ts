import { CancelledError } from "./errors.ts";

/** Waits for all. The first failure aborts `others`, which they are to listen to, and is thrown when every one of them has ended. */
export async function settleAll<T>(promises: readonly Promise<T>[], others: AbortController): Promise<T[]> {
	let failure: { readonly error: unknown } | undefined;
	const results = await Promise.allSettled(
		promises.map((promise) =>
			promise.catch((error: unknown) => {
				failure ??= { error };
				others.abort(new CancelledError("something else has failed"));
				throw error;
			}),
		),
	);
	if (failure !== undefined) throw failure.error;
	return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}
