import { InvalidParameterError, NotFoundError } from "../../../base/errors.ts";
import type { SessionCaller } from "../../../core/build/buildkit/session-caller.ts";

/** A build may be asked for before its session has connected. */
const WAIT_MS = 10_000;

/** Things that are announced by name, and those who wait for one that is not there yet. */
export class Awaited<T> {
	readonly #known = new Map<string, T>();
	readonly #waiting = new Map<string, Set<(value: T) => void>>();

	/** Replaces an earlier one. */
	add(name: string, value: T): void {
		this.#known.set(name, value);
		for (const wake of this.#waiting.get(name) ?? []) wake(value);
	}

	/** Idempotent; another one of that name stays. */
	remove(name: string, value: T): void {
		if (this.#known.get(name) === value) this.#known.delete(name);
	}

	/** @throws the reason of `signal`, NotFoundError after a while */
	async find(name: string, what: string, signal: AbortSignal): Promise<T> {
		signal.throwIfAborted();
		const known = this.#known.get(name);
		if (known !== undefined) return known;
		const { promise, resolve, reject } = Promise.withResolvers<T>();
		const waiting = this.#waiting.get(name) ?? new Set();
		this.#waiting.set(name, waiting.add(resolve));
		const timer = setTimeout(() => reject(new NotFoundError(`no such ${what} ${name}`)), WAIT_MS);
		const abort = () => reject(signal.reason);
		signal.addEventListener("abort", abort, { once: true });
		try {
			return await promise;
		} finally {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
			waiting.delete(resolve);
			if (waiting.size === 0) this.#waiting.delete(name);
		}
	}
}

/** Of a client that has none. */
export const NO_SESSION: SessionCaller = {
	sharedKey: "",
	signal: new AbortController().signal,
	offers: () => false,
	call: () => {
		throw new InvalidParameterError("the client has no session that offers its files");
	},
};

/** Sessions of BuildKit's clients, by the IDs that their builds name. */
export class ClientSessions {
	readonly #sessions = new Awaited<SessionCaller>();

	/** Until the client goes. */
	attach(id: string, session: SessionCaller): void {
		if (session.signal.aborted) return;
		this.#sessions.add(id, session);
		session.signal.addEventListener("abort", () => this.#sessions.remove(id, session), { once: true });
	}

	/** @throws NotFoundError, the reason of `signal` */
	find(id: string, signal: AbortSignal): Promise<SessionCaller> {
		return this.#sessions.find(id, "session", signal);
	}
}
