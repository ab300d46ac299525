/** Answers of other servers, kept for as long as they allow. Pure: the time is told. */
import { DNS_RCODE, type DnsQuery, isTruncated, type MessageTtls, rcodeOf, readTtls } from "./dns-message.ts";

const MAX_ENTRIES = 2000;
/** A name that changed must be seen some time, whatever its owner promised. */
const MAX_TTL_SECONDS = 3600;

interface Entry {
	readonly reply: Buffer;
	readonly ttls: MessageTtls;
	readonly storedAtMs: number;
}

export class DnsCache {
	/** In the order of use, oldest first. */
	readonly #entries = new Map<string, Entry>();

	/** A reply with the TTLs that are left, or undefined. */
	get(query: DnsQuery, nowMs: number): Buffer | undefined {
		const key = keyOf(query);
		const entry = this.#entries.get(key);
		if (entry === undefined) return undefined;
		this.#entries.delete(key);
		const ageSeconds = Math.floor((nowMs - entry.storedAtMs) / 1000);
		if (ageSeconds < 0 || ageSeconds >= entry.ttls.seconds) return undefined;
		this.#entries.set(key, entry);
		const reply = Buffer.from(entry.reply);
		for (const offset of entry.ttls.offsets)
			reply.writeUInt32BE(Math.max(0, reply.readUInt32BE(offset) - ageSeconds), offset);
		return reply;
	}

	/** Keeps answers and firm denials; failures and what was cut short are asked for again. */
	put(query: DnsQuery, reply: Buffer, nowMs: number): void {
		const rcode = rcodeOf(reply);
		if (isTruncated(reply) || (rcode !== DNS_RCODE.noError && rcode !== DNS_RCODE.nameError)) return;
		const ttls = readTtls(reply);
		if (ttls === undefined || ttls.seconds === 0) return;
		const seconds = Math.min(ttls.seconds, MAX_TTL_SECONDS);
		this.#entries.set(keyOf(query), { reply: Buffer.from(reply), ttls: { ...ttls, seconds }, storedAtMs: nowMs });
		if (this.#entries.size <= MAX_ENTRIES) return;
		const [oldest] = this.#entries.keys();
		if (oldest !== undefined) this.#entries.delete(oldest);
	}

	clear(): void {
		this.#entries.clear();
	}
}

/** A client without EDNS must not get the answer to one with it, nor one that checks signatures that of one that does not. */
function keyOf({ name, type, class: qclass, edns, checkingDisabled, recursionDesired }: DnsQuery): string {
	const flags = [edns !== undefined, edns?.dnssecOk === true, checkingDisabled, recursionDesired].map(Number).join("");
	return `${name.toLowerCase()} ${type} ${qclass} ${flags}`;
}
