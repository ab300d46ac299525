/**
 * The name server that every container on a user-defined network has at 127.0.0.11: sockets of the daemon's, made inside the
 * container's namespace. While no daemon runs, names do not resolve; the next one opens the sockets anew.
 */
import type { Socket, TCPSocketListener, udp } from "bun";
import type { Clock } from "../../base/clock.ts";
import { errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import {
	adaptReply,
	DNS_CLASS_IN,
	DNS_RCODE,
	DNS_TYPE,
	type DnsAnswer,
	type DnsQuery,
	encodeFormatError,
	encodeReply,
	MAX_MESSAGE_BYTES,
	PLAIN_UDP_BYTES,
	parseQuery,
	reverseAddress,
} from "../../core/network/dns-message.ts";
import type { NetworkSandbox } from "../../core/network/driver.ts";
import {
	NAME_SERVER_ADDRESS,
	type NameDirectory,
	type NameServer,
	type ResolverSettings,
} from "../../core/network/name-server.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { inNetworkNamespace, openNamespace } from "../linux/namespaces.ts";
import { Forwarder } from "./forwarder.ts";
import { redirectNamePort } from "./redirect.ts";
import { TcpConnection } from "./tcp-connection.ts";

/** Names change when containers come and go: clients should not remember them for long. */
const LOCAL_TTL_SECONDS = 1;
const TCP_IDLE_SECONDS = 10;
const MAX_TCP_CONNECTIONS = 64;

export interface SandboxNameServerDependencies {
	readonly directory: NameDirectory;
	/** The host's own name servers, as they are now. */
	readonly hostServers: () => readonly string[];
	readonly clock: Clock;
	readonly logger: Logger;
}

interface Served {
	readonly containerId: string;
	settings: ResolverSettings;
	/** Undefined where nobody is asked. */
	forwarder: Forwarder | undefined;
	connections: number;
	readonly udp: udp.Socket<"buffer">;
	readonly tcp: TCPSocketListener<TcpConnection>;
}

export class SandboxNameServer implements NameServer {
	readonly #deps: SandboxNameServerDependencies;
	readonly #served = new Map<string, Served>();
	/** One for all: they share its cache. */
	readonly #hostForwarder: Forwarder;
	/** Turned at each answer with several addresses, so that clients spread. */
	#rotation = 0;

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
		if (served === undefined) return;
		this.#served.delete(containerId);
		served.udp.close();
		served.tcp.stop(true);
	}

	closeAll(): void {
		for (const containerId of [...this.#served.keys()]) this.close(containerId);
	}

	async #serve(sandbox: NetworkSandbox, settings: ResolverSettings): Promise<void> {
		const { containerId } = sandbox;
		const namespaceFd = openNamespace(sandbox.path);
		try {
			const tcp = inNetworkNamespace(namespaceFd, () => this.#listen(containerId));
			let udp: udp.Socket<"buffer">;
			try {
				udp = await inNetworkNamespace(namespaceFd, () => this.#bind(containerId));
			} catch (error) {
				tcp.stop(true);
				throw error;
			}
			const forwarder = this.#forwarderFor(sandbox, settings);
			this.#served.set(containerId, { containerId, settings, forwarder, connections: 0, udp, tcp });
			inNetworkNamespace(namespaceFd, () => redirectNamePort({ udp: udp.port, tcp: tcp.port }));
		} finally {
			closeDescriptor(namespaceFd);
		}
	}

	#bind(containerId: string): Promise<udp.Socket<"buffer">> {
		return Bun.udpSocket({
			hostname: NAME_SERVER_ADDRESS,
			port: 0,
			socket: {
				data: (socket, message, port, address) => {
					const reply = (answer: Buffer) => {
						// A reply that the kernel has no room for is lost, as on any network; the client asks again.
						if (this.#served.get(containerId)?.udp === socket) socket.send(answer, port, address);
					};
					this.#answer(containerId, message, "udp", reply);
				},
				error: (error) => this.#deps.logger.debug("name server socket failed", { error: errorMessage(error) }),
			},
		});
	}

	#listen(containerId: string): TCPSocketListener<TcpConnection> {
		return Bun.listen<TcpConnection>({
			hostname: NAME_SERVER_ADDRESS,
			port: 0,
			socket: {
				open: (socket) => this.#accept(containerId, socket),
				data: (socket, data) => {
					socket.timeout(TCP_IDLE_SECONDS);
					socket.data.receive(data);
				},
				drain: (socket) => socket.data.flush(socket),
				timeout: (socket) => void socket.terminate(),
				end: (socket) => void socket.end(),
				close: () => {
					const served = this.#served.get(containerId);
					if (served !== undefined) served.connections--;
				},
				error: (_socket, error) =>
					this.#deps.logger.debug("name server connection failed", { error: errorMessage(error) }),
			},
		});
	}

	#accept(containerId: string, socket: Socket<TcpConnection>): void {
		const connection = new TcpConnection((message) =>
			this.#answer(containerId, message, "tcp", (answer) => {
				if (socket.readyState > 0) connection.send(socket, answer);
			}),
		);
		socket.data = connection;
		socket.timeout(TCP_IDLE_SECONDS);
		const served = this.#served.get(containerId);
		if (served === undefined) return void socket.terminate();
		served.connections++;
		if (served.connections > MAX_TCP_CONNECTIONS) socket.terminate();
	}

	#answer(containerId: string, message: Buffer, transport: "udp" | "tcp", reply: (answer: Buffer) => void): void {
		const query = parseQuery(message);
		if (query === undefined) return;
		if (query === "malformed") {
			reply(encodeFormatError(message));
			return;
		}
		const maxBytes = transport === "tcp" ? MAX_MESSAGE_BYTES : (query.edns?.udpBytes ?? PLAIN_UDP_BYTES);
		const served = this.#served.get(containerId);
		const forwarder = served?.forwarder;
		// Without anybody to ask, what we do not know has failed.
		const local = this.#lookUp(containerId, query, served) ?? (forwarder === undefined ? FAILURE : undefined);
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
				this.#deps.logger.warn("name could not be asked for", { name: query.name, error: errorMessage(error) });
				failed();
			},
		);
	}

	/** What we know ourselves; undefined for all other names. */
	#lookUp(containerId: string, query: DnsQuery, served: Served | undefined): DnsAnswer | undefined {
		const { directory } = this.#deps;
		if (query.class !== DNS_CLASS_IN) return undefined;
		if (query.type === DNS_TYPE.PTR) {
			const pointer = reversed(query.name, (address) => directory.reverse(containerId, address));
			return pointer === undefined ? undefined : { rcode: DNS_RCODE.noError, ttlSeconds: LOCAL_TTL_SECONDS, pointer };
		}
		const addresses = directory.resolve(containerId, query.name, query.type === DNS_TYPE.AAAA ? 6 : 4);
		if (addresses !== undefined) {
			const asked = query.type === DNS_TYPE.A || query.type === DNS_TYPE.AAAA;
			return asked ? { ...EMPTY, addresses: this.#rotated(addresses) } : EMPTY;
		}
		// The client's search list comes first, and then it asks again.
		const isAddressQuery = query.type === DNS_TYPE.A || query.type === DNS_TYPE.AAAA;
		if (served?.settings.keepsSingleLabels === true && isAddressQuery && !query.name.includes(".")) return EMPTY;
		return undefined;
	}

	#rotated(addresses: readonly string[]): readonly string[] {
		if (addresses.length < 2) return addresses;
		const first = this.#rotation++ % addresses.length;
		return [...addresses.slice(first), ...addresses.slice(0, first)];
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

const FAILURE: DnsAnswer = { rcode: DNS_RCODE.serverFailure, ttlSeconds: 0 };
const EMPTY: DnsAnswer = { rcode: DNS_RCODE.noError, ttlSeconds: LOCAL_TTL_SECONDS };

function reversed(name: string, lookUp: (address: string) => string | undefined): string | undefined {
	const address = reverseAddress(name);
	if (address === undefined) return undefined;
	try {
		return lookUp(address);
	} catch (error) {
		// Somebody asks for 999.1.1.1.
		if (error instanceof InvalidParameterError) return undefined;
		throw error;
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
