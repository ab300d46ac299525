/** Which proxy a request goes through, by the rules of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
import { isHostIn, isLoopbackHost } from "./host-match.ts";

export interface ProxySettings {
	readonly http: string | undefined;
	readonly https: string | undefined;
	/** Hosts, domains (`.example.org`), networks in CIDR notation or `*`. */
	readonly exceptions: readonly string[];
}

/** With what variables say in place of it, in capitals or not: an empty one takes the proxy away. Others are left alone. */
export function withVariables(settings: ProxySettings, variables: ReadonlyMap<string, string>): ProxySettings {
	const value = (name: string) => variables.get(name) ?? variables.get(name.toUpperCase());
	const exceptions = value("no_proxy");
	return {
		http: value("http_proxy") ?? settings.http,
		https: value("https_proxy") ?? settings.https,
		exceptions: exceptions === undefined ? settings.exceptions : parseExceptions(exceptions),
	};
}

/** The variables that programs know the settings by. */
export function proxyVariables({ http, https, exceptions }: ProxySettings): Record<string, string> {
	return {
		...((http ?? "") === "" ? {} : { http_proxy: http ?? "" }),
		...((https ?? "") === "" ? {} : { https_proxy: https ?? "" }),
		...(exceptions.length === 0 ? {} : { no_proxy: exceptions.join(",") }),
	};
}

/** `a, b,,c`. */
export function parseExceptions(text: string): string[] {
	return text.split(",").filter((entry) => entry.trim() !== "");
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
