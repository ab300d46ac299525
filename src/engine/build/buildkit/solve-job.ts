import type { Readable } from "node:stream";
import { CancelledError } from "../../../base/errors.ts";
import { newId } from "../../../base/ids.ts";
import type { FrontendRequest } from "../../../core/build/buildkit/frontend-options.ts";
import type { SessionCaller } from "../../../core/build/buildkit/session-caller.ts";
import type { SolveCall } from "./solve-call.ts";
import { StatusFeed } from "./status-feed.ts";

/** What a frontend was asked for: nothing of it is built until somebody needs it. */
export interface FrontendResult {
	readonly id: string;
	readonly frontend: FrontendRequest;
	/** Images of other builds, by their names among the inputs. */
	readonly inputImages: ReadonlyMap<string, string>;
	/** The image, once somebody needed it. */
	image?: Promise<string>;
}

/** A build from the client's request to its end. */
export class SolveJob {
	readonly feed = new StatusFeed();
	readonly results = new Map<string, FrontendResult>();
	/** Given back when the build is over. */
	readonly owned = new AsyncDisposableStack();
	readonly #returned = Promise.withResolvers<string>();
	readonly #abort = new AbortController();

	readonly ref: string;
	/** What the client allows steps to do: `network.host`, `security.insecure`. */
	readonly entitlements: readonly string[];
	/** Nothing more may be asked of it. */
	isOver = false;
	/** The context, where it came along with the request. */
	readonly archive: Readable | undefined;

	constructor(
		{ ref, archive, entitlements }: Pick<SolveCall, "ref" | "archive" | "entitlements">,
		readonly session: SessionCaller,
		/** Of the request: aborted when its client has cancelled it. */
		request: AbortSignal,
	) {
		this.ref = ref;
		this.archive = archive;
		this.entitlements = entitlements;
		this.#returned.promise.catch(() => {});
		const cancel = () => this.#abort.abort(new CancelledError("context canceled"));
		for (const signal of [request, session.signal]) {
			signal.addEventListener("abort", cancel, { once: true });
			if (signal.aborted) cancel();
			this.owned.defer(() => signal.removeEventListener("abort", cancel));
		}
		this.signal.addEventListener("abort", () => this.#returned.reject(this.signal.reason), { once: true });
	}

	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	add(frontend: FrontendRequest, inputImages: ReadonlyMap<string, string>): FrontendResult {
		const result = { id: newId().slice(0, 25), frontend, inputImages };
		this.results.set(result.id, result);
		return result;
	}

	/** The client has done what it wanted. @param result empty for none */
	finish(result: string): void {
		this.#returned.resolve(result);
	}

	fail(error: Error): void {
		this.#returned.reject(error);
	}

	/** What the client has finished with: the ID of a result, or nothing. @throws what it has failed with, CancelledError */
	async returned(): Promise<string> {
		this.signal.throwIfAborted();
		return await this.#returned.promise;
	}
}
