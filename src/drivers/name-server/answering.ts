/** From a message to its answer: what is known here, else what other servers say. */
import { errorMessage, InvalidParameterError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import {
	adaptReply,
	DNS_RCODE,
	type DnsAnswer,
	type DnsQuery,
	encodeFormatError,
	encodeReply,
	MAX_MESSAGE_BYTES,
	PLAIN_UDP_BYTES,
	parseQuery,
	reverseAddress,
} from "../../core/network/dns-message.ts";
import type { Transport } from "./dns-listener.ts";
import type { Forwarder } from "./forwarder.ts";

/** Names change when containers come and go: clients should not remember them for long. */
export const LOCAL_TTL_SECONDS = 1;

export const FAILURE: DnsAnswer = { rcode: DNS_RCODE.serverFailure, ttlSeconds: 0 };
/** The name is known, and has nothing of the kind. */
export const NOTHING: DnsAnswer = { rcode: DNS_RCODE.noError, ttlSeconds: LOCAL_TTL_SECONDS };
export const NO_SUCH_NAME: DnsAnswer = { rcode: DNS_RCODE.nameError, ttlSeconds: LOCAL_TTL_SECONDS };

export interface AnsweringOptions {
	/** Undefined for what others have to be asked. */
	readonly lookUp: (query: DnsQuery) => DnsAnswer | undefined;
	/** Without anybody to ask, what is not known here has failed. */
	readonly forwarder: Forwarder | undefined;
	readonly logger: Logger;
}

export function answerMessage(
	message: Buffer,
	transport: Transport,
	reply: (answer: Buffer) => void,
	{ lookUp, forwarder, logger }: AnsweringOptions,
): void {
	const query = parseQuery(message);
	if (query === undefined) return;
	if (query === "malformed") {
		reply(encodeFormatError(message));
		return;
	}
	const maxBytes = transport === "tcp" ? MAX_MESSAGE_BYTES : (query.edns?.udpBytes ?? PLAIN_UDP_BYTES);
	const local = lookUp(query);
	if (local !== undefined || forwarder === undefined) {
		reply(encodeReply(message, query, local ?? FAILURE, maxBytes));
		return;
	}
	// The receive buffer is used again.
	const kept = Buffer.from(message);
	const failed = () => reply(encodeReply(kept, query, FAILURE, maxBytes));
	forwarder.forward({ message: kept, query, transport }).then(
		(answer) => (answer === undefined ? failed() : reply(adaptReply(answer, kept, query, maxBytes))),
		(error: unknown) => {
			logger.warn("name could not be asked for", { name: query.name, error: errorMessage(error) });
			failed();
		},
	);
}

/** The answer to a question for an address's name. */
export function pointerAnswer(name: string, lookUp: (address: string) => string | undefined): DnsAnswer | undefined {
	const address = reverseAddress(name);
	if (address === undefined) return undefined;
	try {
		const pointer = lookUp(address);
		return pointer === undefined ? undefined : { rcode: DNS_RCODE.noError, ttlSeconds: LOCAL_TTL_SECONDS, pointer };
	} catch (error) {
		// Somebody asks for 999.1.1.1.
		if (error instanceof InvalidParameterError) return undefined;
		throw error;
	}
}

/** Turned at each answer with several addresses, so that clients spread. */
export class Rotation {
	#turn = 0;

	turned(addresses: readonly string[]): readonly string[] {
		if (addresses.length < 2) return addresses;
		const first = this.#turn++ % addresses.length;
		return [...addresses.slice(first), ...addresses.slice(0, first)];
	}
}
