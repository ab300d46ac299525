/** From what a container exposes and publishes to the host ports to reserve. */
import type { PortBinding, PortMap } from "../../api/engine/container.ts";
import { type ContainerPort, formatPort, parseExposedPort, parseHostPort, parsePort } from "../container/ports.ts";
import type { PortRequest } from "./driver.ts";
import { parseIp } from "./ip-address.ts";

export interface PortPlanInput {
	readonly exposedPorts: Readonly<Record<string, unknown>>;
	readonly portBindings: Readonly<PortMap>;
	/** `-P`: every exposed port that has no binding of its own gets a free one. */
	readonly publishAll: boolean;
	/** Where a port goes when no host address is given: `["0.0.0.0", "::"]`, or the daemon's `ip`. */
	readonly defaultHostAddresses: readonly string[];
}

/**
 * One request per host address. Requests that follow one another and differ in the address alone belong together: the driver
 * gives them the same host port. Sorted by container port, then protocol, so that ranges are handed out in that order.
 * @throws InvalidParameterError
 */
export function planPorts(input: PortPlanInput): PortRequest[] {
	const bindings = bindingsByPort(input);
	const ports = [...bindings.keys()].map(parsePort).sort(byPort);
	return ports.flatMap((port) =>
		(bindings.get(formatPort(port)) ?? []).flatMap(({ HostIp = "", HostPort = "" }) => {
			const range = parseHostPort(HostPort);
			if (HostIp !== "") parseIp(HostIp);
			const addresses = HostIp === "" ? input.defaultHostAddresses : [HostIp];
			return addresses.map((hostAddress) => ({
				protocol: port.protocol,
				containerPort: port.port,
				hostAddress,
				hostPortStart: range.start,
				hostPortEnd: range.end,
			}));
		}),
	);
}

function bindingsByPort(input: PortPlanInput): Map<string, readonly PortBinding[]> {
	const bindings = new Map<string, readonly PortBinding[]>();
	for (const [key, list] of Object.entries(input.portBindings)) {
		const name = formatPort(parsePort(key));
		if (list !== null && list.length > 0) bindings.set(name, [...(bindings.get(name) ?? []), ...list]);
	}
	if (!input.publishAll) return bindings;
	for (const port of Object.keys(input.exposedPorts).flatMap(parseExposedPort)) {
		const name = formatPort(port);
		if (!bindings.has(name)) bindings.set(name, [{}]);
	}
	return bindings;
}

function byPort(a: ContainerPort, b: ContainerPort): number {
	return a.port - b.port || a.protocol.localeCompare(b.protocol);
}
