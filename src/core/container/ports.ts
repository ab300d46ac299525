import type { PortMap } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import type { TransportProtocol } from "../network/driver.ts";

export interface ContainerPort {
	readonly port: number;
	readonly protocol: TransportProtocol;
}

const PROTOCOLS: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);

/** `80/tcp`, `80`, `53/UDP`. @throws InvalidParameterError */
export function parsePort(text: string): ContainerPort {
	const slash = text.indexOf("/");
	const number = slash === -1 ? text : text.slice(0, slash);
	const protocol = slash === -1 ? "tcp" : text.slice(slash + 1).toLowerCase();
	if (!isProtocol(protocol)) throw new InvalidParameterError(`invalid proto: ${protocol}`);
	return { port: parsePortNumber(number), protocol };
}

function isProtocol(text: string): text is TransportProtocol {
	return PROTOCOLS.has(text);
}

function parsePortNumber(text: string): number {
	const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
	if (!(port >= 0 && port <= 65_535)) throw new InvalidParameterError(`invalid port specification: "${text}"`);
	return port;
}

/** A key of `ExposedPorts`; image authors write ranges there too. @throws InvalidParameterError */
export function parseExposedPort(text: string): ContainerPort[] {
	const match = /^(\d+)-(\d+)(\/\w+)?$/.exec(text);
	if (match === null) return [parsePort(text)];
	const protocol = match[3] ?? "/tcp";
	const first = parsePort(`${match[1]}${protocol}`);
	const last = parsePort(`${match[2]}${protocol}`);
	if (last.port < first.port) throw new InvalidParameterError(`invalid port specification: "${text}"`);
	return Array.from({ length: last.port - first.port + 1 }, (_, index) => ({ ...first, port: first.port + index }));
}

/** `80/tcp` for a port. */
export function formatPort({ port, protocol }: ContainerPort): string {
	return `${port}/${protocol}`;
}

/** `8080`, `8000-9000` or empty (0-0). @throws InvalidParameterError */
export function parseHostPort(text: string): { readonly start: number; readonly end: number } {
	if (text === "") return { start: 0, end: 0 };
	const invalid = () => new InvalidParameterError(`invalid port specification: "${text}"`);
	const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
	if (match === null) throw invalid();
	const start = Number(match[1]);
	const end = match[2] === undefined ? start : Number(match[2]);
	if (start > 65_535 || end > 65_535 || end < start) throw invalid();
	return { start, end };
}

/** Port bindings with canonical keys (`80` becomes `80/tcp`). @throws InvalidParameterError */
export function normalisePortBindings(bindings: PortMap | null | undefined): PortMap {
	const normalised: PortMap = {};
	for (const [key, list] of Object.entries(bindings ?? {})) {
		const port = parsePort(key);
		if (port.port === 0) throw new InvalidParameterError(`invalid port specification: "${key}"`);
		for (const { HostPort } of list ?? []) parseHostPort(HostPort ?? "");
		const name = formatPort(port);
		normalised[name] = [
			...(normalised[name] ?? []),
			...(list ?? []).map(({ HostIp, HostPort }) => ({ HostIp: HostIp ?? "", HostPort: HostPort ?? "" })),
		];
	}
	return normalised;
}
