import type { Readable } from "node:stream";
import { CancelledError } from "../../base/errors.ts";

/** A stream somebody sends us: it ends with the request. */
export interface AbortableSource extends Disposable {
	/** What `work` gives; when the sender left meanwhile, its failure is a cancellation. */
	run<T>(work: () => Promise<T>): Promise<T>;
}

export function abortable(source: Readable, signal: AbortSignal): AbortableSource {
	const onAbort = () => source.destroy(new CancelledError());
	if (signal.aborted) onAbort();
	signal.addEventListener("abort", onAbort, { once: true });
	return {
		async run(work) {
			try {
				return await work();
			} catch (cause) {
				if (signal.aborted) throw new CancelledError("Operation cancelled", { cause });
				throw cause;
			}
		},
		[Symbol.dispose]() {
			signal.removeEventListener("abort", onAbort);
			source.destroy();
		},
	};
}
