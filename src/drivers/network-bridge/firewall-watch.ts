/**
 * Puts the daemon's tables back when somebody else has changed them: `nft flush ruleset`, a firewall manager that reloads, a
 * person. Others' tables are nobody's business here.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { NftablesMonitor, type RulesetChange } from "../linux/nftables-monitor.ts";

/** Two who put their own back without end would be a busy loop. */
const MIN_INTERVAL_MS = 1000;

export interface FirewallWatchDependencies {
	readonly clock: Clock;
	readonly logger: Logger;
	/** `family name` of our tables. */
	readonly tables: ReadonlySet<string>;
	readonly restore: () => void;
}

export class FirewallWatch implements AsyncDisposable {
	readonly #monitor: NftablesMonitor;
	/** As the kernel counts us; learnt from the first change of our tables, which is our own. */
	#ownPid: number | undefined;
	#timer: Timer | undefined;
	#restoredAt = Number.NEGATIVE_INFINITY;
	/** Nothing has been heard since the tables were put back, which may be more messages than there is room for. */
	#awaitsOwn = false;

	constructor(private readonly deps: FirewallWatchDependencies) {
		this.#monitor = new NftablesMonitor(
			(change) => this.#consider(change),
			() => this.#lose(),
			deps.logger,
		);
	}

	/** To be followed by a change of our own. Without a monitor (an old kernel) the next change of ours puts things right. */
	async open(): Promise<void> {
		try {
			await this.#monitor.open();
		} catch (error) {
			this.deps.logger.warn("changes of the firewall by others are not noticed", { error: errorMessage(error) });
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#timer?.cancel();
		this.#monitor[Symbol.dispose]();
	}

	/**
	 * Messages were lost. When they can have been our own, of the tables that were just put back, doing so again would lose
	 * them again, without end.
	 */
	#lose(): void {
		if (!this.#awaitsOwn) this.#schedule("unknown");
		this.#awaitsOwn = false;
	}

	#consider({ tables, pid }: RulesetChange): void {
		this.#awaitsOwn = false;
		if (![...tables].some((table) => this.deps.tables.has(table))) return;
		this.#ownPid ??= pid;
		if (pid !== this.#ownPid) this.#schedule(String(pid));
	}

	#schedule(culprit: string): void {
		if (this.#timer !== undefined) return;
		const wait = this.#restoredAt + MIN_INTERVAL_MS - this.deps.clock.now();
		this.#timer = this.deps.clock.after(Math.max(0, wait), () => {
			this.#timer = undefined;
			this.#restoredAt = this.deps.clock.now();
			this.deps.logger.warn("somebody changed this daemon's firewall tables; they are put back", { pid: culprit });
			this.#awaitsOwn = true;
			try {
				this.deps.restore();
			} catch (error) {
				this.deps.logger.error("firewall tables could not be put back", { error: errorMessage(error) });
			}
		});
	}
}
