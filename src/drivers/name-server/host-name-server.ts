/**
 * Names of containers for the host: `NAME.gantry.internal` and `NAME.NETWORK.gantry.internal`, at a loopback address. All other
 * questions go on to the host's own servers, so that it can stand first in /etc/resolv.conf.
 */
import type { Clock } from "../../base/clock.ts";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { DNS_CLASS_IN, DNS_TYPE, type DnsAnswer, type DnsQuery } from "../../core/network/dns-message.ts";
import type { HostNameDirectory } from "../../core/network/name-server.ts";
import { answerMessage, NO_SUCH_NAME, NOTHING, pointerAnswer, Rotation } from "./answering.ts";
import { DnsListener } from "./dns-listener.ts";
import { Forwarder } from "./forwarder.ts";
import type { ResolvConfFile } from "./resolv-conf-file.ts";

const DOMAIN = "gantry.internal";
const DNS_PORT = 53;

export interface HostNameServerDependencies {
	readonly directory: HostNameDirectory;
	/** The host's other name servers, as they are now. */
	readonly hostServers: () => readonly string[];
	/** Where the host's programs find it; undefined: they are told otherwise. */
	readonly resolvConf: ResolvConfFile | undefined;
	readonly clock: Clock;
	readonly logger: Logger;
}

export class HostNameServer {
	readonly #deps: HostNameServerDependencies;
	readonly #forwarder: Forwarder;
	readonly #rotation = new Rotation();
	#listener: DnsListener | undefined;

	/** @param address loopback address nobody else serves port 53 of */
	constructor(
		deps: HostNameServerDependencies,
		private readonly address: string,
	) {
		this.#deps = deps;
		const others = () => deps.hostServers().filter((server) => server !== address);
		this.#forwarder = new Forwarder(others, (work) => work(), deps.clock);
	}

	/** @throws SystemError when the address or its port cannot be had */
	async open(): Promise<void> {
		const { logger, resolvConf } = this.#deps;
		try {
			this.#listener = await DnsListener.open({
				hostname: this.address,
				port: DNS_PORT,
				context: (work) => work(),
				logger,
				onMessage: (message, transport, reply) =>
					answerMessage(message, transport, reply, {
						lookUp: (query) => this.#lookUp(query),
						forwarder: this.#forwarder,
						logger,
					}),
			});
		} catch (cause) {
			throw new SystemError(`host-dns: cannot listen on ${this.address}:${DNS_PORT}: ${errorMessage(cause)}`, {
				cause,
			});
		}
		resolvConf?.insert(this.address);
		logger.info("the host can ask for names of containers", { server: this.address, domain: DOMAIN });
	}

	/** The host's file first: nobody is sent to a closed port. */
	close(): void {
		this.#deps.resolvConf?.remove();
		this.#listener?.close();
	}

	#lookUp(query: DnsQuery): DnsAnswer | undefined {
		const { directory } = this.#deps;
		if (query.class !== DNS_CLASS_IN) return undefined;
		if (query.type === DNS_TYPE.PTR)
			return pointerAnswer(query.name, (address) => {
				const name = directory.reverseAnywhere(address);
				return name === undefined ? undefined : `${name}.${DOMAIN}`;
			});
		const name = query.name.toLowerCase();
		if (name === DOMAIN) return NOTHING;
		if (!name.endsWith(`.${DOMAIN}`)) return undefined;
		const family = query.type === DNS_TYPE.AAAA ? 6 : 4;
		const addresses = directory.resolveAnywhere(name.slice(0, -DOMAIN.length - 1), family);
		if (addresses === undefined) return NO_SUCH_NAME;
		if (query.type !== DNS_TYPE.A && query.type !== DNS_TYPE.AAAA) return NOTHING;
		return { ...NOTHING, addresses: this.#rotation.turned(addresses) };
	}
}
