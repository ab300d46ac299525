/** `hosts.toml`, in the layout of containerd: which hosts stand for a registry, and how they are reached. */
import { InvalidParameterError } from "../../base/errors.ts";
import {
	type CertificateFiles,
	type Endpoint,
	isInsecure,
	NO_CERTIFICATES,
	type RegistrySettings,
} from "./endpoint.ts";

export interface HostsFileContext {
	readonly domain: string;
	readonly origin: Endpoint;
	readonly settings: RegistrySettings;
	/** A file's path, when it is relative to the hosts file. */
	readonly resolve: (file: string) => string;
}

type Table = Record<string, unknown>;

/** @throws InvalidParameterError naming the wrong field */
export function hostsFileEndpoints(table: Table, context: HostsFileContext): Endpoint[] {
	const hosts = asTable(table["host"] ?? {}, "host");
	const mirrors = Object.entries(hosts).map(([address, settings]) =>
		endpointOf(address, asTable(settings, `host."${address}"`), context),
	);
	const server = table["server"];
	if (server === undefined) return [...mirrors, withOwnSettings(context.origin, table, context)];
	if (typeof server !== "string") throw new InvalidParameterError("invalid hosts.toml: server is no text");
	const origin = endpointOf(server, table, context);
	const isOrigin = origin.origin === context.origin.origin;
	return [...mirrors, { ...origin, isOrigin, canPush: true, canResolve: true, canPull: true, namespace: undefined }];
}

function withOwnSettings(origin: Endpoint, table: Table, context: HostsFileContext): Endpoint {
	return {
		...origin,
		...(table["skip_verify"] === true ? { skipsVerification: true } : {}),
		headers: headersOf(table),
		certificates: mergeCertificates(origin.certificates, certificatesOf(table, context)),
	};
}

const CAPABILITIES = ["pull", "resolve", "push"];

function endpointOf(address: string, table: Table, context: HostsFileContext): Endpoint {
	const text = address.includes("://") ? address : `https://${address}`;
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url === undefined || !/^https?:$/.test(url.protocol))
		throw new InvalidParameterError(`invalid hosts.toml: "${address}" is no address of a host`);
	const capabilities = table["capabilities"] ?? CAPABILITIES;
	if (!Array.isArray(capabilities) || !capabilities.every((name) => CAPABILITIES.includes(name)))
		throw new InvalidParameterError("invalid hosts.toml: capabilities may be pull, resolve and push");
	const path = url.pathname.replace(/\/+$/, "");
	const insecure = isInsecure(url.host, context.settings.insecure);
	return {
		origin: url.origin,
		prefix: table["override_path"] === true || path.endsWith("/v2") ? path : `${path}/v2`,
		skipsVerification: table["skip_verify"] === true || insecure,
		// A scheme that was written down is meant.
		mayBePlain: insecure && !address.includes("://"),
		canResolve: capabilities.includes("resolve"),
		canPull: capabilities.includes("pull"),
		// A mirror gets pushes only when the file says so: it may be anybody's.
		canPush: table["capabilities"] !== undefined && capabilities.includes("push"),
		isOrigin: false,
		headers: headersOf(table),
		certificates: certificatesOf(table, context),
		namespace: context.domain,
	};
}

function certificatesOf(table: Table, { resolve }: HostsFileContext): CertificateFiles {
	const authorities = fileList(table["ca"], "ca").flat().map(resolve);
	const clients = fileList(table["client"], "client").map(([certificate = "", key]) => ({
		certificate: resolve(certificate),
		key: key === undefined || key === "" ? undefined : resolve(key),
	}));
	return authorities.length + clients.length === 0 ? NO_CERTIFICATES : { authorities, clients };
}

/** A file, a list of files, or a list of pairs. */
function fileList(value: unknown, name: string): string[][] {
	if (value === undefined) return [];
	const list = Array.isArray(value) ? value : [value];
	const pairs = list.map((item) => (Array.isArray(item) ? item : [item]));
	if (!pairs.every((pair) => pair.every((file) => typeof file === "string")))
		throw new InvalidParameterError(`invalid hosts.toml: ${name} is no list of files`);
	return pairs as string[][];
}

function mergeCertificates(left: CertificateFiles, right: CertificateFiles): CertificateFiles {
	return {
		authorities: [...left.authorities, ...right.authorities],
		clients: [...right.clients, ...left.clients],
	};
}

function headersOf(table: Table): Record<string, string> {
	const headers = asTable(table["header"] ?? {}, "header");
	return Object.fromEntries(
		Object.entries(headers).map(([name, value]) => [name, (Array.isArray(value) ? value : [value]).join(", ")]),
	);
}

function asTable(value: unknown, name: string): Table {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new InvalidParameterError(`invalid hosts.toml: ${name} is no table`);
	return value as Table;
}
