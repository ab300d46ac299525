import { isHostIn, isLoopbackHost } from "../../core/remotes/host-match.ts";

/** Which proxy a request goes through, by the rules of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
export interface ProxySettings {
	readonly http: string | undefined;
	readonly https: string | undefined;
	/** Hosts, domains (`.example.org`), networks in CIDR notation or `*`. */
	readonly exceptions: readonly string[];
}

export const NO_PROXIES: ProxySettings = { http: undefined, https: undefined, exceptions: [] };

const VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/** The runtime would follow the environment by itself, whatever the settings say, which were made from it. */
export function forgetEnvironmentProxies(environment: Record<string, string | undefined>): void {
	for (const name of VARIABLES) {
		delete environment[name];
		delete environment[name.toLowerCase()];
	}
}

/** @returns the proxy's address; undefined for none */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
	const proxy = url.protocol === "https:" ? settings.https : settings.http;
	if (proxy === undefined || proxy === "" || isLoopbackHost(url.hostname)) return undefined;
	if (settings.exceptions.some((entry) => excepts(entry.trim().toLowerCase(), url))) return undefined;
	return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function excepts(entry: string, url: URL): boolean {
	if (entry === "") return false;
	if (entry === "*") return true;
	const host = url.hostname.toLowerCase();
	if (entry.includes("/")) return isHostIn(host, entry);
	if (host === `[${entry}]`) return true;
	const [, name = "", port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
	if (port !== undefined && port !== (url.port || (url.protocol === "https:" ? "443" : "80"))) return false;
	const domain = name.replace(/^\*?\./, "");
	return host === domain ? !name.startsWith(".") : host.endsWith(`.${domain}`);
}
