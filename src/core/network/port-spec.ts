/** The text forms of ports: `80/tcp` keys of the API, `-p` and `--expose` of the CLI. Messages are docker's own. */
import type { PortBinding, PortMap } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { TransportProtocol } from "./driver.ts";
import { tryParseIp } from "./ip-address.ts";

const PROTOCOLS: readonly TransportProtocol[] = ["tcp", "udp", "sctp"];

/** First and last port, both included. */
export interface PortRange {
	readonly start: number;
	readonly end: number;
}

export interface ContainerPort {
	readonly port: number;
	readonly protocol: TransportProtocol;
}

export function isTransportProtocol(text: string): text is TransportProtocol {
	return PROTOCOLS.some((protocol) => protocol === text);
}

/** `8080` or `8000-8010`; undefined when it is neither, goes backwards or passes 65535. */
export function tryParsePortRange(text: string): PortRange | undefined {
	const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
	if (match === null) return undefined;
	const start = Number(match[1]);
	const end = Number(match[2] ?? match[1]);
	return start > end || end > 65535 ? undefined : { start, end };
}

/**
 * A key of ExposedPorts or PortBindings: `80`, `80/tcp`, `53/UDP`.
 * @throws InvalidParameterError
 */
export function parseContainerPort(key: string): ContainerPort {
	const [number = "", protocol = "tcp"] = key.split("/");
	const range = tryParsePortRange(number);
	if (range === undefined || range.start !== range.end)
		throw new InvalidParameterError(`invalid port specification: "${number}"`);
	const name = protocol.toLowerCase();
	if (!isTransportProtocol(name))
		throw new InvalidParameterError(`invalid port specification: unknown protocol "${protocol}"`);
	return { port: range.start, protocol: name };
}

export function formatContainerPort(port: ContainerPort): string {
	return `${port.port}/${port.protocol}`;
}

export interface ParsedPortSpecs {
	readonly exposedPorts: Record<string, Record<string, never>>;
	readonly portBindings: PortMap;
}

/**
 * The values of `-p`: `[[address:][hostPort[-end]]:]port[-end][/protocol]`, IPv6 addresses in brackets or bare.
 * @throws InvalidParameterError
 */
export function parsePortSpecs(specs: readonly string[]): ParsedPortSpecs {
	const exposedPorts: Record<string, Record<string, never>> = {};
	const portBindings: PortMap = {};
	for (const spec of specs)
		for (const { key, binding } of parsePortSpec(spec)) {
			exposedPorts[key] = {};
			const bindings = portBindings[key] ?? [];
			bindings.push(binding);
			portBindings[key] = bindings;
		}
	return { exposedPorts, portBindings };
}

interface SpecBinding {
	readonly key: string;
	readonly binding: PortBinding;
}

function parsePortSpec(spec: string): SpecBinding[] {
	const { address, hostPort, containerPort, protocol } = splitPortSpec(spec);
	if (containerPort === "") throw new InvalidParameterError(`no port specified: ${spec}<empty>`);
	if (address !== "" && tryParseIp(address) === undefined)
		throw new InvalidParameterError(`invalid IP address: ${address}`);
	const container = tryParsePortRange(containerPort);
	if (container === undefined) throw new InvalidParameterError(`invalid containerPort: ${containerPort}`);
	const host = hostPort === "" ? undefined : tryParsePortRange(hostPort);
	if (hostPort !== "" && host === undefined) throw new InvalidParameterError(`invalid hostPort: ${hostPort}`);
	const name = protocol.toLowerCase();
	if (!isTransportProtocol(name)) throw new InvalidParameterError(`invalid proto: ${protocol}`);
	const length = container.end - container.start;
	// One container port may be given a whole range to choose from; several need as many.
	if (host !== undefined && length > 0 && host.end - host.start !== length)
		throw new InvalidParameterError(
			`invalid ranges specified for container and host Ports: ${containerPort} and ${hostPort}`,
		);
	return Array.from({ length: length + 1 }, (_, index) => ({
		key: `${container.start + index}/${name}`,
		binding: { HostIp: address, HostPort: length > 0 && host !== undefined ? String(host.start + index) : hostPort },
	}));
}

function splitPortSpec(spec: string): {
	readonly address: string;
	readonly hostPort: string;
	readonly containerPort: string;
	readonly protocol: string;
} {
	const [ports = "", protocol = ""] = spec.split("/");
	const parts = ports.split(":");
	const containerPort = parts.pop() ?? "";
	const hostPort = parts.pop() ?? "";
	const address = parts.join(":").replace(/^\[(.*)\]$/, "$1");
	return { address, hostPort, containerPort, protocol: protocol === "" ? "tcp" : protocol };
}

/**
 * The values of `--expose`: `port[-end][/protocol]`.
 * @returns keys of ExposedPorts
 * @throws InvalidParameterError
 */
export function parseExposeSpec(spec: string): string[] {
	const [ports = "", protocol = "tcp"] = spec.split("/");
	const range = tryParsePortRange(ports);
	if (range === undefined)
		throw new InvalidParameterError(`invalid range format for --expose: ${spec}, error: ${rangeFault(ports)}`);
	const name = protocol.toLowerCase();
	if (!isTransportProtocol(name)) throw new InvalidParameterError(`invalid proto: ${protocol}`);
	return Array.from({ length: range.end - range.start + 1 }, (_, index) => `${range.start + index}/${name}`);
}

function rangeFault(text: string): string {
	for (const part of text.split("-")) {
		if (!/^\d+$/.test(part)) return `strconv.ParseUint: parsing "${part}": invalid syntax`;
		if (Number(part) > 65535) return `strconv.ParseUint: parsing "${part}": value out of range`;
	}
	return `invalid range specified for port: ${text}`;
}
