/** From what a container exposes and publishes to the host ports to reserve. */
import type { PortMap } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { PortMapping, PortRequest } from "./driver.ts";
import { tryParseIp } from "./ip-address.ts";
import { type ContainerPort, formatContainerPort, parseContainerPort, tryParsePortRange } from "./port-spec.ts";

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
	const bindings = normaliseBindings(input);
	const ports = [...bindings.keys()].map(parseContainerPort).sort(byPort);
	return ports.flatMap((port) =>
		(bindings.get(formatContainerPort(port)) ?? []).flatMap(({ hostIp, hostPort }) => {
			const range = parseHostPort(hostPort);
			const addresses = hostIp === "" ? input.defaultHostAddresses : [parseHostAddress(hostIp)];
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

/** The check at create, before anything is stored. @throws InvalidParameterError */
export function validatePorts(exposedPorts: Readonly<Record<string, unknown>>, portBindings: Readonly<PortMap>): void {
	for (const key of Object.keys(exposedPorts)) parseContainerPort(key);
	planPorts({ exposedPorts, portBindings, publishAll: false, defaultHostAddresses: ["0.0.0.0"] });
}

/** `NetworkSettings.Ports`: exposed ports without a mapping are there with null. */
export function portMapOf(exposedPorts: readonly string[], mappings: readonly PortMapping[]): PortMap {
	const map: PortMap = {};
	for (const key of exposedPorts) map[formatContainerPort(parseContainerPort(key))] = null;
	for (const mapping of mappings) {
		const key = formatContainerPort({ port: mapping.containerPort, protocol: mapping.protocol });
		const list = map[key] ?? [];
		list.push({ HostIp: mapping.hostAddress, HostPort: String(mapping.hostPort) });
		map[key] = list;
	}
	return map;
}

interface HostBinding {
	readonly hostIp: string;
	readonly hostPort: string;
}

function normaliseBindings(input: PortPlanInput): Map<string, HostBinding[]> {
	const bindings = new Map<string, HostBinding[]>();
	for (const [key, list] of Object.entries(input.portBindings)) {
		const name = formatContainerPort(parseContainerPort(key));
		const own = (list ?? []).map(({ HostIp = "", HostPort = "" }) => ({ hostIp: HostIp, hostPort: HostPort }));
		if (own.length > 0) bindings.set(name, [...(bindings.get(name) ?? []), ...own]);
	}
	if (!input.publishAll) return bindings;
	for (const key of Object.keys(input.exposedPorts)) {
		const name = formatContainerPort(parseContainerPort(key));
		if (!bindings.has(name)) bindings.set(name, [{ hostIp: "", hostPort: "" }]);
	}
	return bindings;
}

/** Empty and `0` mean any. */
function parseHostPort(text: string): { readonly start: number; readonly end: number } {
	const range = text === "" ? { start: 0, end: 0 } : tryParsePortRange(text);
	if (range === undefined) throw new InvalidParameterError(`invalid port specification: "${text}"`);
	return range;
}

function parseHostAddress(text: string): string {
	if (tryParseIp(text) === undefined) throw new InvalidParameterError(`invalid IP address: ${text}`);
	return text;
}

function byPort(a: ContainerPort, b: ContainerPort): number {
	return a.port - b.port || a.protocol.localeCompare(b.protocol);
}
