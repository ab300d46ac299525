import type { DiskFacts, GcItem, GcKind, GcPart } from "./consumer.ts";
import { type GcPolicy, spaceBytes } from "./policy.ts";

export interface GcFacts {
	/** Milliseconds since the epoch. */
	readonly now: number;
	readonly items: readonly (GcItem & { readonly kind: GcKind })[];
	/** Needed by others than items; counted as used, never freed. */
	readonly heldParts: readonly GcPart[];
	readonly disk: DiskFacts;
}

/** An item with what is decided about it, and why. */
export interface GcDecision {
	readonly kind: GcKind;
	readonly id: string;
	readonly name: string;
	readonly lastUsedAt: number;
	/** Everything it holds, shared parts included. */
	readonly sizeBytes: number;
	readonly reason: string;
}

export interface GcRemoval extends GcDecision {
	/** What its removal frees when those before it have gone. */
	readonly freedBytes: number;
}

export interface GcPlan {
	/** Each part once. */
	readonly usedBytes: number;
	readonly disk: DiskFacts;
	/** What the limits ask to be freed in all; 0 when they hold. */
	readonly wantedBytes: number;
	/** In the order of removal. */
	readonly removals: readonly GcRemoval[];
	readonly freedBytes: number;
	/** The rest, those that would go next first. */
	readonly kept: readonly GcDecision[];
}

type Item = GcFacts["items"][number];

/**
 * What has to go, and why: first what was unused for too long, then, while the budget is exceeded, what was used longest ago, nameless
 * things before all others. Nothing goes that is kept, that something kept stands on, or whose removal would free nothing.
 */
export function planCollection(facts: GcFacts, policy: GcPolicy): GcPlan {
	const books = new Books(facts);
	const used = books.usedBytes;
	const wanted = wantedBytes(used, facts.disk, policy);
	const age = (item: Item) => facts.now - item.lastUsedAt;
	const isFree = (item: Item) => item.keptBecause === undefined && age(item) >= policy.graceMs;
	const order = [...facts.items].sort(byUselessness);
	const { unusedForMs } = policy;
	const isOld = (item: Item) => unusedForMs !== undefined && age(item) >= unusedForMs;
	if (unusedForMs !== undefined)
		books.remove(
			order.filter((item) => isFree(item) && isOld(item)),
			(item) => `not used for ${describeAge(age(item))}`,
		);
	const short = shortage(used, facts.disk, policy);
	const candidates = order.filter(isFree);
	if (books.freedBytes < wanted) {
		const before = books.removals.length;
		books.remove(
			candidates,
			() => short,
			() => books.freedBytes >= wanted,
		);
		books.giveBack(before);
	}
	return {
		usedBytes: used,
		disk: facts.disk,
		wantedBytes: wanted,
		removals: books.freedByRemoval(),
		freedBytes: books.freedBytes,
		kept: order
			.filter((item) => !books.isRemoved(item))
			.map((item) => decision(item, keptBecause(item, age(item), policy, books))),
	};
}

function wantedBytes(used: number, disk: DiskFacts, { maxUsed, minFree }: GcPolicy): number {
	const over = maxUsed === undefined ? 0 : used - spaceBytes(maxUsed, disk);
	const missing = minFree === undefined ? 0 : spaceBytes(minFree, disk) - disk.availableBytes;
	return Math.max(0, over, missing);
}

function shortage(used: number, disk: DiskFacts, { maxUsed, minFree }: GcPolicy): string {
	const over = maxUsed === undefined ? 0 : used - spaceBytes(maxUsed, disk);
	const missing = minFree === undefined ? 0 : spaceBytes(minFree, disk) - disk.availableBytes;
	return over >= missing ? "more than max-used-space is used" : "less than min-free-space is free";
}

/** Nameless first, then the longest unused, then the largest; the ID makes the order one. */
function byUselessness(a: Item, b: Item): number {
	if (a.isExpendable !== b.isExpendable) return a.isExpendable ? -1 : 1;
	return a.lastUsedAt - b.lastUsedAt || sizeOf(b) - sizeOf(a) || (a.id < b.id ? -1 : 1);
}

function keptBecause(item: Item, ageMs: number, policy: GcPolicy, books: Books): string {
	if (item.keptBecause !== undefined) return item.keptBecause;
	if (ageMs < policy.graceMs) return `used ${describeAge(Math.max(0, ageMs))} ago`;
	const dependant = books.dependants(item)[0];
	return dependant === undefined ? "within the limits" : `${dependant.name} stands on it`;
}

function decision(item: Item, reason: string): GcDecision {
	const { kind, id, name, lastUsedAt } = item;
	return { kind, id, name, lastUsedAt, sizeBytes: sizeOf(item), reason };
}

function sizeOf({ parts }: Item): number {
	return parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** Which parts are held by whom, and what has been decided to go. */
class Books {
	readonly removals: { readonly item: Item; readonly reason: string }[] = [];
	readonly #holders = new Map<string, number>();
	readonly #sizes = new Map<string, number>();
	readonly #removed = new Set<Item>();
	readonly #byId: ReadonlyMap<string, Item>;
	/** What an item stands on, by the item's key. */
	readonly #standsOn = new Map<string, Item[]>();
	readonly usedBytes: number;
	freedBytes = 0;

	constructor(facts: GcFacts) {
		this.#byId = new Map(facts.items.map((item) => [keyOf(item.kind, item.id), item]));
		for (const base of facts.items)
			for (const id of base.dependants) {
				const key = keyOf(base.kind, id);
				this.#standsOn.set(key, [...(this.#standsOn.get(key) ?? []), base]);
			}
		for (const part of facts.heldParts) this.#hold(part);
		for (const { parts } of facts.items) for (const part of parts) this.#hold(part);
		this.usedBytes = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
	}

	isRemoved(item: Item): boolean {
		return this.#removed.has(item);
	}

	/** Those that stay. */
	dependants(item: Item): Item[] {
		return item.dependants.flatMap((id) => {
			const dependant = this.#byId.get(keyOf(item.kind, id));
			return dependant === undefined || this.#removed.has(dependant) ? [] : [dependant];
		});
	}

	/** In their order; what others stand on follows as soon as the last of them has gone. */
	remove(candidates: readonly Item[], reason: (item: Item) => string, isEnough: () => boolean = () => false): void {
		const waiting = new Set<Item>();
		for (const candidate of candidates) {
			for (const next = [candidate]; ; ) {
				const item = next.pop();
				if (item === undefined) break;
				if (isEnough()) return;
				if (this.#removed.has(item)) continue;
				waiting.add(item);
				if (this.dependants(item).length > 0) continue;
				this.#remove(item, reason(item));
				next.push(...this.#basesOf(item).filter((base) => waiting.has(base)));
			}
		}
	}

	/**
	 * Takes back those of the removals from `start` on without which just as much is freed, the most recently used first. What
	 * stands on something that goes cannot stay.
	 */
	giveBack(start: number): void {
		const last = this.removals.splice(start).reverse();
		const needed = last.filter(({ item }) => !this.#takeBack(item));
		this.removals.push(...needed.reverse());
	}

	/** What each frees when they go in order. */
	freedByRemoval(): GcRemoval[] {
		const left = new Map(this.#holders);
		for (const { item } of this.removals) for (const { id } of item.parts) left.set(id, (left.get(id) ?? 0) + 1);
		return this.removals.map(({ item, reason }) => {
			let freedBytes = 0;
			for (const { id, sizeBytes } of item.parts) {
				const count = (left.get(id) ?? 1) - 1;
				left.set(id, count);
				if (count === 0) freedBytes += sizeBytes;
			}
			return { ...decision(item, reason), freedBytes };
		});
	}

	#remove(item: Item, reason: string): void {
		this.#removed.add(item);
		this.removals.push({ item, reason });
		for (const { id } of item.parts) this.#release(id);
	}

	#takeBack(item: Item): boolean {
		const frees = item.parts.some(({ id }) => (this.#holders.get(id) ?? 0) === 0);
		if (frees || this.#basesOf(item).some((base) => this.#removed.has(base))) return false;
		this.#removed.delete(item);
		for (const part of item.parts) this.#hold(part);
		return true;
	}

	#basesOf(item: Item): readonly Item[] {
		return this.#standsOn.get(keyOf(item.kind, item.id)) ?? [];
	}

	#hold({ id, sizeBytes }: GcPart): void {
		this.#holders.set(id, (this.#holders.get(id) ?? 0) + 1);
		this.#sizes.set(id, sizeBytes);
	}

	#release(id: string): void {
		const count = (this.#holders.get(id) ?? 1) - 1;
		this.#holders.set(id, count);
		if (count === 0) this.freedBytes += this.#sizes.get(id) ?? 0;
	}
}

function keyOf(kind: GcKind, id: string): string {
	return `${kind} ${id}`;
}

/** `3 days`, `5 hours`, `1 minute`. */
export function describeAge(ms: number): string {
	const [amount, unit] =
		ms >= 48 * 3_600_000
			? [ms / 86_400_000, "day"]
			: ms >= 7_200_000
				? [ms / 3_600_000, "hour"]
				: ms >= 120_000
					? [ms / 60_000, "minute"]
					: [ms / 1000, "second"];
	const whole = Math.floor(amount);
	return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}
