/**
 * Questions that are not ours to answer, passed on to other servers: the first is preferred, the others are asked as well as
 * soon as it is slow, and at once when it fails. Equal questions share one answer while it is being fetched.
 */
import type { Clock } from "../../base/clock.ts";
import { DnsCache } from "../../core/network/dns-cache.ts";
import { DNS_RCODE, rcodeOf } from "../../core/network/dns-message.ts";
import { ask, type Context, type Question } from "./upstream.ts";

const HEDGE_MS = 250;
const TIMEOUT_MS = 4000;
/** As many as a busy machine has; more is an attack or a loop. */
const MAX_IN_FLIGHT = 1024;

const FAILURES: ReadonlySet<number> = new Set([DNS_RCODE.serverFailure, DNS_RCODE.refused, DNS_RCODE.notImplemented]);

export class Forwarder {
	readonly #cache = new DnsCache();
	#inFlight = 0;

	constructor(
		private readonly servers: () => readonly string[],
		private readonly context: Context,
		private readonly clock: Clock,
	) {}

	/** @returns the reply of a server, with any ID; undefined when no server has one */
	async forward(question: Question): Promise<Buffer | undefined> {
		const cached = this.#cache.get(question.query, this.clock.now());
		if (cached !== undefined) return cached;
		if (this.#inFlight >= MAX_IN_FLIGHT) return undefined;
		this.#inFlight++;
		try {
			const reply = await this.#ask(this.servers(), question);
			if (reply !== undefined) this.#cache.put(question.query, reply, this.clock.now());
			return reply;
		} finally {
			this.#inFlight--;
		}
	}

	async #ask(servers: readonly string[], question: Question): Promise<Buffer | undefined> {
		if (servers.length === 0) return undefined;
		const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
		const end = new AbortController();
		const timeout = this.clock.after(TIMEOUT_MS, () => resolve(undefined));
		let next = 0;
		let waiting = 0;
		/** A refusal is better than nothing when all refuse. */
		let refusal: Buffer | undefined;
		const askNext = () => {
			const server = servers[next++];
			if (server === undefined || end.signal.aborted) return;
			waiting++;
			const hedge = this.clock.after(HEDGE_MS, askNext);
			void ask(server, question, this.context, end.signal).then((reply) => {
				hedge.cancel();
				waiting--;
				if (reply !== undefined && !FAILURES.has(rcodeOf(reply))) return resolve(reply);
				refusal ??= reply;
				if (next < servers.length) askNext();
				else if (waiting === 0) resolve(refusal);
			});
		};
		askNext();
		try {
			return await promise;
		} finally {
			timeout.cancel();
			end.abort();
		}
	}
}
