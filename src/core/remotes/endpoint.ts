/** Where a repository is looked for: mirrors first, its own registry last. */
import { InvalidParameterError } from "../../base/errors.ts";
import { DEFAULT_DOMAIN } from "../image/reference.ts";
import { isHostIn, isLoopbackHost } from "./host-match.ts";

export interface Endpoint {
	/** Scheme, host and port. */
	readonly origin: string;
	/** What precedes `/<repository>/…`: `/v2`, or a mirror's own. */
	readonly prefix: string;
	/** Certificates are not checked. */
	readonly skipsVerification: boolean;
	/** Plain HTTP is tried when there is no TLS at the other end. */
	readonly mayBePlain: boolean;
	/** May be asked for tags; else for digests only. */
	readonly canResolve: boolean;
	readonly canPull: boolean;
	readonly canPush: boolean;
	/** The registry itself, to which the user's credentials belong. */
	readonly isOrigin: boolean;
	/** Sent with every request; from the administrator's own settings. */
	readonly headers: Readonly<Record<string, string>>;
	/** Extra authorities and client certificates: files. */
	readonly certificates: CertificateFiles;
	/** Asked for what it does not have yet: `?ns=` names the registry. */
	readonly namespace: string | undefined;
}

export interface CertificateFiles {
	readonly authorities: readonly string[];
	readonly clients: readonly { readonly certificate: string; readonly key: string | undefined }[];
}

export const NO_CERTIFICATES: CertificateFiles = { authorities: [], clients: [] };

export interface RegistrySettings {
	/** Mirrors of the default registry: origins, perhaps with a path. */
	readonly mirrors: readonly string[];
	/** Hosts (with port) or networks in CIDR notation. */
	readonly insecure: readonly string[];
}

/** The default registry answers under another name than the one it goes by. */
const DEFAULT_HOST = "registry-1.docker.io";

export interface RepositoryPlace {
	/** As in the reference, e.g. `docker.io`, `localhost:5000`. */
	readonly domain: string;
	/** The repository's path there. */
	readonly path: string;
}

/** @param name a normalised repository name */
export function placeOf(name: string): RepositoryPlace {
	const slash = name.indexOf("/");
	return { domain: name.slice(0, slash), path: name.slice(slash + 1) };
}

export function hostOf(domain: string): string {
	return domain === DEFAULT_DOMAIN ? DEFAULT_HOST : domain;
}

/** The registry's own endpoint. */
export function originEndpoint(domain: string, settings: RegistrySettings, certificates: CertificateFiles): Endpoint {
	const insecure = isInsecure(domain, settings.insecure);
	return {
		origin: `https://${hostOf(domain)}`,
		prefix: "/v2",
		skipsVerification: insecure,
		mayBePlain: insecure,
		canResolve: true,
		canPull: true,
		canPush: true,
		isOrigin: true,
		headers: {},
		certificates,
		namespace: undefined,
	};
}

/** `registry-mirrors` serve the default registry only, as with Docker. */
export function mirrorEndpoints(domain: string, settings: RegistrySettings): Endpoint[] {
	if (domain !== DEFAULT_DOMAIN) return [];
	return settings.mirrors.map((mirror) => {
		const url = parseMirror(mirror);
		const insecure = isInsecure(url.host, settings.insecure);
		return {
			origin: url.origin,
			prefix: `${url.pathname.replace(/\/+$/, "")}/v2`,
			skipsVerification: insecure,
			mayBePlain: insecure,
			canResolve: true,
			canPull: true,
			canPush: false,
			isOrigin: false,
			headers: {},
			certificates: NO_CERTIFICATES,
			namespace: undefined,
		};
	});
}

/** @throws InvalidParameterError in Docker's words */
export function parseMirror(mirror: string): URL {
	if (!URL.canParse(mirror)) throw new InvalidParameterError(`invalid mirror: "${mirror}" is not a valid URI`);
	const url = new URL(mirror);
	if (url.protocol !== "http:" && url.protocol !== "https:")
		throw new InvalidParameterError(
			`invalid mirror: no scheme specified for "${mirror}": must use either 'https://' or 'http://'`,
		);
	if (url.search !== "" || url.hash !== "")
		throw new InvalidParameterError("invalid mirror: query or fragment at end of the URI");
	if (url.username !== "" || url.password !== "")
		throw new InvalidParameterError("invalid mirror: username/password not allowed in URI");
	return url;
}

/** Loopback addresses are always insecure, as with Docker. Names are compared as they are written, not resolved. */
export function isInsecure(domain: string, insecure: readonly string[]): boolean {
	const { host, port } = splitPort(domain);
	if (isLoopbackHost(host)) return true;
	return insecure.some((entry) => {
		const text = entry.replace(/^https?:\/\//, "").replace(/\/$/, "");
		if (text.includes("/")) return isHostIn(host, text);
		const wanted = splitPort(text);
		return wanted.host === host && (wanted.port === "" || wanted.port === port);
	});
}

function splitPort(domain: string): { readonly host: string; readonly port: string } {
	const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(domain);
	return { host: (match?.[1] ?? domain).toLowerCase(), port: match?.[2] ?? "" };
}
