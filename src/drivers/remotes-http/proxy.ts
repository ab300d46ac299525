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
	if (proxy === undefined || proxy === "" || isLoopback(url.hostname)) return undefined;
	if (settings.exceptions.some((entry) => excepts(entry.trim().toLowerCase(), url))) return undefined;
	return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function isLoopback(hostname: string): boolean {
	return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

function excepts(entry: string, url: URL): boolean {
	if (entry === "") return false;
	if (entry === "*") return true;
	const host = url.hostname.toLowerCase();
	if (entry.includes("/")) return inNetwork(host, entry);
	const [, name = "", port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
	if (port !== undefined && port !== (url.port || (url.protocol === "https:" ? "443" : "80"))) return false;
	const domain = name.replace(/^\*?\./, "");
	return host === domain ? !name.startsWith(".") : host.endsWith(`.${domain}`);
}

function inNetwork(host: string, network: string): boolean {
	const [base = "", bits = ""] = network.split("/");
	const numbers = [host, base].map((text) => text.split(".").map(Number));
	if (numbers.some((parts) => parts.length !== 4 || parts.some((part) => !(part >= 0 && part < 256)))) return false;
	const [address = 0, start = 0] = numbers.map((parts) => parts.reduce((sum, part) => sum * 256 + part, 0));
	const size = 2 ** (32 - Number(bits));
	return Math.floor(address / size) === Math.floor(start / size);
}
