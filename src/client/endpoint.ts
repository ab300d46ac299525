import { InvalidParameterError } from "../base/errors.ts";

/** PEM texts for a TLS connection; `verify` false accepts any server certificate. */
export interface TlsMaterial {
	verify: boolean;
	ca?: string;
	cert?: string;
	key?: string;
}

/** Where a daemon listens. `basePath` is put before every API path ("" or "/prefix"). */
export type Endpoint =
	| { kind: "unix"; path: string }
	| { kind: "tcp"; hostname: string; port: number; basePath: string; tls?: TlsMaterial };

export const DEFAULT_HOST = "unix:///var/run/gantry.sock";

const DEFAULT_PORT = 2375;
const DEFAULT_TLS_PORT = 2376;

/**
 * Reads a daemon address as `-H` takes it: `unix:///path`, `tcp://host[:port][/prefix]`, `http(s)://…`, or a bare `host:port`.
 * @throws InvalidParameterError
 */
export function parseEndpoint(host: string, tls?: TlsMaterial): Endpoint {
	const text = host.trim();
	if (text === "") return parseEndpoint(DEFAULT_HOST);
	if (text.startsWith("/")) return { kind: "unix", path: text };
	const separator = text.indexOf("://");
	const protocol = separator < 0 ? "tcp" : text.slice(0, separator);
	const address = separator < 0 ? text : text.slice(separator + 3);
	switch (protocol) {
		case "unix":
			return { kind: "unix", path: address === "" ? DEFAULT_HOST.slice("unix://".length) : address };
		case "tcp":
		case "http":
		case "https":
			return parseTcp(host, address, protocol === "https" ? (tls ?? { verify: true }) : tls);
		case "ssh":
		case "npipe":
		case "fd":
			throw new InvalidParameterError(`unable to use docker host "${host}": ${protocol}:// is not supported yet`);
		default:
			throw new InvalidParameterError(`unable to parse docker host "${host}"`);
	}
}

function parseTcp(host: string, address: string, tls: TlsMaterial | undefined): Endpoint {
	const match = /^(\[[0-9a-fA-F:.%]+\]|[^:/[\]]*)(?::(\d+))?(\/.*)?$/.exec(address);
	const port = match?.[2] === undefined ? (tls === undefined ? DEFAULT_PORT : DEFAULT_TLS_PORT) : Number(match[2]);
	if (match === null || port < 1 || port > 65_535)
		throw new InvalidParameterError(`unable to parse docker host "${host}"`);
	const hostname = (match[1] ?? "").replace(/^\[|\]$/g, "");
	return {
		kind: "tcp",
		hostname: hostname === "" ? "127.0.0.1" : hostname,
		port,
		basePath: (match[3] ?? "").replace(/\/+$/, ""),
		...(tls === undefined ? {} : { tls }),
	};
}

/** The address as a person would type it. */
export function formatEndpoint(endpoint: Endpoint): string {
	if (endpoint.kind === "unix") return `unix://${endpoint.path}`;
	const hostname = endpoint.hostname.includes(":") ? `[${endpoint.hostname}]` : endpoint.hostname;
	return `tcp://${hostname}:${endpoint.port}${endpoint.basePath}`;
}
