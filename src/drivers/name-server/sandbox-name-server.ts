/**
 * The name server that every container on a user-defined network has at 127.0.0.11: sockets of the daemon's, made inside the
 * container's namespace. While no daemon runs, names do not resolve; the next one opens the sockets anew.
 */
import type { Clock } from "../../base/clock.ts";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { DNS_CLASS_IN, DNS_TYPE, type DnsAnswer, type DnsQuery } from "../../core/network/dns-message.ts";
import type { NetworkSandbox } from "../../core/network/driver.ts";
import {
	NAME_SERVER_ADDRESS,
	type NameDirectory,
	type NameServer,
	type ResolverSettings,
} from "../../core/network/name-server.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { inNetworkNamespace, openNamespace } from "../linux/namespaces.ts";
import { answerMessage, NOTHING, pointerAnswer, Rotation } from "./answering.ts";
import { DnsListener } from "./dns-listener.ts";
import { Forwarder } from "./forwarder.ts";
import { redirectNamePort } from "./redirect.ts";

export interface SandboxNameServerDependencies {
	readonly directory: NameDirectory;
	/** The host's own name servers, as they are now. */
	readonly hostServers: () => readonly string[];
	readonly clock: Clock;
	readonly logger: Logger;
}

interface Served {
	settings: ResolverSettings;
	/** Undefined where nobody is asked. */
	forwarder: Forwarder | undefined;
	readonly listener: DnsListener;
}

export class SandboxNameServer implements NameServer {
	readonly #deps: SandboxNameServerDependencies;
	readonly #served = new Map<string, Served>();
	/** One for all: they share its cache. */
	readonly #hostForwarder: Forwarder;
	readonly #rotation = new Rotation();

	constructor(deps: SandboxNameServerDependencies) {
		this.#deps = deps;
		this.#hostForwarder = new Forwarder(deps.hostServers, (work) => work(), deps.clock);
	}

	async open(sandbox: NetworkSandbox, settings: ResolverSettings): Promise<void> {
		const { containerId } = sandbox;
		const present = this.#served.get(containerId);
		if (present !== undefined) {
			if (JSON.stringify(present.settings) === JSON.stringify(settings)) return;
			present.settings = settings;
			present.forwarder = this.#forwarderFor(sandbox, settings);
			return;
		}
		try {
			await this.#serve(sandbox, settings);
		} catch (cause) {
			this.close(containerId);
			throw new SystemError(`failed to start the name server of container ${containerId}: ${errorMessage(cause)}`, {
				cause,
			});
		}
	}

	close(containerId: string): void {
		const served = this.#served.get(containerId);
		this.#served.delete(containerId);
		served?.listener.close();
	}

	closeAll(): void {
		for (const containerId of [...this.#served.keys()]) this.close(containerId);
	}

	async #serve(sandbox: NetworkSandbox, settings: ResolverSettings): Promise<void> {
		const { containerId } = sandbox;
		const namespaceFd = openNamespace(sandbox.path);
		try {
			const listener = await DnsListener.open({
				hostname: NAME_SERVER_ADDRESS,
				port: 0,
				context: (work) => inNetworkNamespace(namespaceFd, work),
				logger: this.#deps.logger,
				onMessage: (message, transport, reply) =>
					answerMessage(message, transport, reply, {
						lookUp: (query) => this.#lookUp(containerId, query),
						forwarder: this.#served.get(containerId)?.forwarder,
						logger: this.#deps.logger,
					}),
			});
			this.#served.set(containerId, { settings, forwarder: this.#forwarderFor(sandbox, settings), listener });
			inNetworkNamespace(namespaceFd, () => redirectNamePort(listener.ports));
		} finally {
			closeDescriptor(namespaceFd);
		}
	}

	/** What we know ourselves; undefined for all other names. */
	#lookUp(containerId: string, query: DnsQuery): DnsAnswer | undefined {
		const { directory } = this.#deps;
		if (query.class !== DNS_CLASS_IN) return undefined;
		if (query.type === DNS_TYPE.PTR)
			return pointerAnswer(query.name, (address) => directory.reverse(containerId, address));
		const isAddressQuery = query.type === DNS_TYPE.A || query.type === DNS_TYPE.AAAA;
		const addresses = directory.resolve(containerId, query.name, query.type === DNS_TYPE.AAAA ? 6 : 4);
		if (addresses !== undefined)
			return isAddressQuery ? { ...NOTHING, addresses: this.#rotation.turned(addresses) } : NOTHING;
		// The client's search list comes first, and then it asks again.
		const keepsSingleLabels = this.#served.get(containerId)?.settings.keepsSingleLabels === true;
		return keepsSingleLabels && isAddressQuery && !query.name.includes(".") ? NOTHING : undefined;
	}

	#forwarderFor(sandbox: NetworkSandbox, { upstream }: ResolverSettings): Forwarder | undefined {
		if (upstream.kind === "none") return undefined;
		if (upstream.kind === "host") return this.#hostForwarder;
		// Asking ourselves would never end.
		const servers = upstream.addresses.filter((address) => address !== NAME_SERVER_ADDRESS);
		return new Forwarder(
			() => servers,
			(work) => inSandbox(sandbox.path, work),
			this.#deps.clock,
		);
	}
}

function inSandbox<T>(path: string, work: () => T): T {
	const fd = openNamespace(path);
	try {
		return inNetworkNamespace(fd, work);
	} finally {
		closeDescriptor(fd);
	}
}
