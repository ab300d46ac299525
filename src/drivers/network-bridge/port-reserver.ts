/** Reserves host ports by holding sockets on them, as the only way that keeps other programs off. */
import { readFileSync } from "node:fs";
import { ConflictError, errnoCode, NotImplementedError, SystemError } from "../../base/errors.ts";
import type { PortMapping, PortRelay, PortRequest, PortReservation } from "../../core/network/driver.ts";
import { isUnspecified, parseIp, tryParseIp } from "../../core/network/ip-address.ts";
import { errnoText } from "../linux/errno.ts";
import { closeDescriptor } from "../linux/file-descriptors.ts";
import { bindSocket } from "../linux/sockets.ts";

interface HeldPort {
	readonly mapping: PortMapping;
	readonly fd: number;
}

/** Requests that share one host port: the same container port on several host addresses. */
type RequestGroup = readonly [PortRequest, ...PortRequest[]];

const FALLBACK_EPHEMERAL = { start: 32768, end: 60999 };
const NO_IPV6: readonly (string | undefined)[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL"];

export class PortReserver {
	/** Where the search for a free port goes on: a port just freed is not given to the next container at once. */
	#cursor = 0;
	readonly #held = new Set<HeldPort>();

	/** @param publishedPorts mappings of the endpoints that exist, to tell whose a taken port is */
	constructor(private readonly publishedPorts: () => Iterable<PortMapping>) {}

	/** @throws ConflictError, SystemError, NotImplementedError; nothing stays bound then */
	reserve(requests: readonly PortRequest[]): PortReservation {
		const held: HeldPort[] = [];
		try {
			for (const group of groupRequests(requests)) held.push(...this.#reserveGroup(group, held));
		} catch (error) {
			for (const port of held) this.#letGo(port);
			throw error;
		}
		return {
			mappings: held.map(({ mapping }) => mapping),
			relays: (containerAddress) => held.map((port) => relayOf(port, containerAddress)),
			release: () => {
				for (const port of held) this.#letGo(port);
			},
		};
	}

	#letGo(port: HeldPort): void {
		if (this.#held.delete(port)) closeDescriptor(port.fd);
	}

	#reserveGroup(group: RequestGroup, earlier: readonly HeldPort[]): HeldPort[] {
		const [first] = group;
		if (first.protocol === "sctp")
			throw new NotImplementedError(`publishing SCTP ports is not supported (${first.containerPort}/sctp)`);
		let failure: unknown;
		for (const port of this.#candidates(first)) {
			const attempt = this.#bindAll(group, port);
			if (attempt.held !== undefined) {
				if (first.hostPortStart === 0) this.#cursor = port + 1;
				return attempt.held;
			}
			failure = attempt.error;
			if (errnoCode(failure) !== "EADDRINUSE") break;
		}
		throw this.#explain(group, failure, earlier);
	}

	/** All addresses of the group on one port, or none. */
	#bindAll(group: RequestGroup, port: number): { readonly held?: HeldPort[]; readonly error?: unknown } {
		const held: HeldPort[] = [];
		for (const request of group) {
			try {
				held.push(this.#bind(request, port));
			} catch (error) {
				// `::` beside `0.0.0.0` means "IPv6 as well": a host without IPv6 has no such address to serve.
				if (group.length > 1 && request.hostAddress === "::" && NO_IPV6.includes(errnoCode(error))) continue;
				for (const bound of held) this.#letGo(bound);
				return { error };
			}
		}
		return { held };
	}

	#bind(request: PortRequest, port: number): HeldPort {
		const { protocol, containerPort, hostAddress } = request;
		const socket = bindSocket(protocol === "udp" ? "udp" : "tcp", hostAddress, port);
		const held = { mapping: { protocol, containerPort, hostAddress, hostPort: port }, fd: socket.fd };
		this.#held.add(held);
		return held;
	}

	*#candidates(request: PortRequest): Generator<number> {
		const { start, end } =
			request.hostPortStart === 0 ? ephemeralRange() : { start: request.hostPortStart, end: request.hostPortEnd };
		const size = end - start + 1;
		const first = request.hostPortStart === 0 && this.#cursor >= start && this.#cursor <= end ? this.#cursor : start;
		for (let count = 0; count < size; count++) yield start + ((first - start + count) % size);
	}

	#explain(group: RequestGroup, error: unknown, earlier: readonly HeldPort[]): Error {
		const [request] = group;
		const code = errnoCode(error) ?? "EADDRINUSE";
		const address = request.hostAddress.includes(":") ? `[${request.hostAddress}]` : request.hostAddress;
		const isRange = request.hostPortEnd > request.hostPortStart;
		const port = isRange ? `${request.hostPortStart}-${request.hostPortEnd}` : String(request.hostPortStart);
		if (code !== "EADDRINUSE")
			return new SystemError(`failed to bind host port ${address}:${port}/${request.protocol}: ${errnoText(code)}`, {
				cause: error,
			});
		if (!isRange && group.some((member) => this.#isOurs(member, earlier)))
			return new ConflictError(`Bind for ${address}:${port} failed: port is already allocated`, { cause: error });
		return new ConflictError(`failed to bind host port ${address}:${port}/${request.protocol}: ${errnoText(code)}`, {
			cause: error,
		});
	}

	#isOurs(request: PortRequest, earlier: readonly HeldPort[]): boolean {
		const own = [...this.publishedPorts(), ...[...this.#held, ...earlier].map(({ mapping }) => mapping)];
		return own.some(
			(mapping) =>
				mapping.protocol === request.protocol &&
				mapping.hostPort === request.hostPortStart &&
				addressesCollide(mapping.hostAddress, request.hostAddress),
		);
	}
}

function addressesCollide(a: string, b: string): boolean {
	const first = tryParseIp(a);
	const second = parseIp(b);
	if (first === undefined || first.family !== second.family) return false;
	return first.value === second.value || isUnspecified(first) || isUnspecified(second);
}

function groupRequests(requests: readonly PortRequest[]): RequestGroup[] {
	const groups: [PortRequest, ...PortRequest[]][] = [];
	for (const request of requests) {
		const group = groups.at(-1);
		if (group !== undefined && belongs(group, request)) group.push(request);
		else groups.push([request]);
	}
	return groups;
}

function belongs(group: RequestGroup, request: PortRequest): boolean {
	const [first] = group;
	return (
		first.protocol === request.protocol &&
		first.containerPort === request.containerPort &&
		first.hostPortStart === request.hostPortStart &&
		first.hostPortEnd === request.hostPortEnd &&
		group.every(({ hostAddress }) => hostAddress !== request.hostAddress)
	);
}

function relayOf({ mapping, fd }: HeldPort, containerAddress: string): PortRelay {
	const protocol = mapping.protocol === "udp" ? "udp" : "tcp";
	return { fd, protocol, containerAddress, containerPort: mapping.containerPort };
}

/** Ports the kernel gives to outgoing connections: the ones an administrator keeps free of services. */
function ephemeralRange(): { readonly start: number; readonly end: number } {
	const [start, end] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
	return start === undefined || end === undefined ? FALLBACK_EPHEMERAL : { start, end };
}
