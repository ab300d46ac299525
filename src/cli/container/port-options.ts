import type { PortBinding, PortMap } from "../../api/engine/container.ts";
import { isIpAddress } from "./option-checks.ts";

/** `-p` and `--expose`, in the order and with the messages of docker's own port parser. */
export interface PublishedPorts {
	exposed: Record<string, Record<string, never>>;
	bindings: PortMap;
}

interface PortRange {
	first: number;
	last: number;
}

/** @throws Error with docker's message */
export function parsePorts(publish: readonly string[], expose: readonly string[]): PublishedPorts {
	const ports: PublishedPorts = { exposed: {}, bindings: {} };
	for (const text of publish) publishPort(toShortForm(text), ports);
	for (const text of expose) {
		if (text.includes(":")) throw new Error(`invalid port format for --expose: ${text}`);
		const { port, protocol } = splitProtocol(text);
		const range = exposedRange(text, port);
		for (let number = range.first; number <= range.last; number++) ports.exposed[`${number}/${protocol}`] = {};
	}
	return ports;
}

/** `published=80,target=8080,protocol=udp` is `80:8080/udp`. */
function toShortForm(text: string): string {
	if (!text.includes("=")) return text;
	const fields: Record<string, string> = { protocol: "tcp" };
	for (const pair of text.split(",")) {
		const equals = pair.indexOf("=");
		if (equals <= 0) throw new Error(`invalid publish opts format (should be name=value but got '${pair}')`);
		fields[pair.slice(0, equals)] = pair.slice(equals + 1);
	}
	return `${fields["published"] ?? ""}:${fields["target"] ?? ""}/${fields["protocol"]}`;
}

function publishPort(text: string, ports: PublishedPorts): void {
	const { address, hostPort, rest } = splitPublish(text);
	const { port: containerPort, protocol } = splitProtocol(rest);
	const hostIp = /^\[.*\]$/.test(address) ? address.slice(1, -1) : address;
	if (hostIp !== "" && !isIpAddress(hostIp)) throw new Error(`invalid IP address: ${hostIp}`);
	if (containerPort === "") throw new Error(`no port specified: ${text}<empty>`);
	const container = portRange(containerPort);
	if (container === undefined) throw new Error(`invalid containerPort: ${containerPort}`);
	const host = hostPort === "" ? undefined : portRange(hostPort);
	if (hostPort !== "" && host === undefined) throw new Error(`invalid hostPort: ${hostPort}`);
	const isSingle = container.first === container.last;
	if (host !== undefined && host.last - host.first !== container.last - container.first && !isSingle)
		throw new Error(`invalid ranges specified for container and host Ports: ${containerPort} and ${hostPort}`);
	if (!["tcp", "udp", "sctp"].includes(protocol)) throw new Error(`invalid proto: ${protocol}`);
	for (let number = container.first; number <= container.last; number++) {
		const key = `${number}/${protocol}`;
		ports.exposed[key] = {};
		addBinding(ports.bindings, key, { HostIp: hostIp, HostPort: hostPortFor(number, container, host) });
	}
}

/** A range of host ports for one container port stays a range: the daemon takes the first free one. */
function hostPortFor(number: number, container: PortRange, host: PortRange | undefined): string {
	if (host === undefined) return "";
	if (container.first === container.last && host.first !== host.last) return `${host.first}-${host.last}`;
	return String(host.first + number - container.first);
}

function addBinding(bindings: PortMap, key: string, binding: PortBinding): void {
	const earlier = bindings[key];
	if (earlier) earlier.push(binding);
	else bindings[key] = [binding];
}

/** `address:host:container`, split from the right; the address may hold colons in brackets or bare. */
function splitPublish(text: string): { address: string; hostPort: string; rest: string } {
	const parts = text.split(":");
	const rest = parts.pop() ?? "";
	const hostPort = parts.pop() ?? "";
	return { address: parts.join(":"), hostPort, rest };
}

function splitProtocol(text: string): { port: string; protocol: string } {
	const slash = text.indexOf("/");
	if (slash < 0) return { port: text, protocol: "tcp" };
	const protocol = text.slice(slash + 1).toLowerCase();
	return { port: text.slice(0, slash), protocol: protocol === "" ? "tcp" : protocol };
}

function portRange(text: string): PortRange | undefined {
	const match = /^(\d+)(?:-(\d+))?$/.exec(text);
	if (match === null) return undefined;
	const first = Number(match[1]);
	const last = Number(match[2] ?? match[1]);
	return first > 65_535 || last > 65_535 || last < first ? undefined : { first, last };
}

function exposedRange(text: string, port: string): PortRange {
	const invalid = (reason: string) => new Error(`invalid range format for --expose: ${text}, error: ${reason}`);
	if (port === "") throw invalid("empty string specified for ports");
	for (const part of port.split("-")) {
		const quoted = JSON.stringify(part);
		if (!/^\d+$/.test(part)) throw invalid(`strconv.ParseUint: parsing ${quoted}: invalid syntax`);
		if (Number(part) > 65_535) throw invalid(`strconv.ParseUint: parsing ${quoted}: value out of range`);
	}
	const range = portRange(port);
	if (range === undefined) throw invalid(`invalid range specified for port: ${port}`);
	return range;
}
