import { parseBytes, parseDurationMs } from "../../base/units.ts";

/**
 * Values that are refused while options are read, with the messages docker's users know. Each throws an Error; what it returns
 * is for the request builder.
 */
export function checkBytes(text: string): number {
	return parseBytes(text);
}

/** -1 means unlimited. */
export function checkMemorySwap(text: string): number {
	return text === "-1" ? -1 : parseBytes(text);
}

export function checkInteger(text: string): number {
	if (!/^[+-]?\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
	return Number(text);
}

export function checkUnsigned(text: string): number {
	if (!/^\d+$/.test(text)) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
	return Number(text);
}

export function checkBlkioWeight(text: string): number {
	const weight = checkUnsigned(text);
	if (weight > 65_535) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range`);
	return weight;
}

/** Milliseconds; docker's own limit is that a health check's times are not negative, which the request builder says. */
export function checkDuration(text: string): number {
	return parseDurationMs(text);
}

/** Billionths of a CPU. */
export function checkCpus(text: string): number {
	const match = /^[+-]?(\d*)(?:\.(\d*))?$/.exec(text);
	if (match === null || (match[1] === "" && (match[2] ?? "") === ""))
		throw new Error(`failed to parse ${text} as a rational number`);
	if ((match[2] ?? "").replace(/0+$/, "").length > 9) throw new Error("value is too precise");
	return Math.round(Number(text) * 1e9);
}

export function checkAttach(text: string): string {
	const stream = text.toLowerCase();
	if (stream !== "stdin" && stream !== "stdout" && stream !== "stderr")
		throw new Error("valid streams are STDIN, STDOUT and STDERR");
	return stream;
}

/** `NAME=value`, or `NAME` alone to pass the client's own on. */
export function checkEnv(text: string): string {
	if (text === "" || text.startsWith("=")) throw new Error(`invalid environment variable: ${text}`);
	return text;
}

/** `host:ip` or `host=ip`, the address perhaps in brackets; `host-gateway` stands for the host. */
export function checkAddHost(text: string): string {
	const match = /^([^=:]*)[=:](.+)$/.exec(text);
	const [, host = "", address = ""] = match ?? [];
	if (match === null || host === "") throw new Error(`bad format for add-host: ${JSON.stringify(text)}`);
	if (address === "host-gateway") return `${host}:${address}`;
	const bare = /^\[.*\]$/.test(address) ? address.slice(1, -1) : address;
	if (!isIpAddress(bare)) throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`);
	return `${host}:${bare}`;
}

export function checkDns(text: string): string {
	if (!isIpAddress(text.trim())) throw new Error(`IP address is not correctly formatted: ${text}`);
	return text.trim();
}

export function checkLink(text: string): string {
	if (text === "") throw new Error("empty string specified for links");
	if (text.split(":").length > 2) throw new Error(`bad format for links: ${text}`);
	return text;
}

const ULIMIT_NAMES = new Set(
	"core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** `name=soft[:hard]`; -1 is unlimited. */
export function checkUlimit(text: string): { Name: string; Soft: number; Hard: number } {
	const [name = "", limits, ...more] = text.split("=");
	if (limits === undefined || more.length > 0) throw new Error(`invalid ulimit argument: ${text}`);
	if (!ULIMIT_NAMES.has(name)) throw new Error(`invalid ulimit type: ${name}`);
	const [softText = "", hardText, ...rest] = limits.split(":");
	if (rest.length > 0)
		throw new Error(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
	const soft = checkInteger(softText);
	const hard = hardText === undefined ? soft : checkInteger(hardText);
	if (hard >= 0 && (soft === -1 || soft > hard))
		throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
	return { Name: name, Soft: soft, Hard: hard };
}

/** Good enough to tell an address from a name; the daemon checks it to the last bit. */
export function isIpAddress(text: string): boolean {
	const octets = text.split(".");
	if (octets.length === 4 && octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) < 256))
		return true;
	return text.includes(":") && isIpv6Address(text.replace(/%\w+$/, ""));
}

/** Eight groups, of which one `::` may stand for some; the last two may be written as an IPv4 address. */
function isIpv6Address(text: string): boolean {
	const halves = text.replace(/\d+\.\d+\.\d+\.\d+$/, "0:0").split("::");
	const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
	const isComplete = halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8;
	return isComplete && groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group));
}

const SYSCTLS = new Set("msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced".split(" "));

/** `name=value` of a kernel parameter that a container can have for itself. */
export function checkSysctl(text: string): string {
	const equals = text.indexOf("=");
	const name = text.slice(0, Math.max(0, equals));
	const isOwn = /^(net\.|fs\.mqueue\.)/.test(name) || (name.startsWith("kernel.") && SYSCTLS.has(name.slice(7)));
	if (!isOwn) throw new Error(`sysctl '${text}' is not allowed`);
	return text;
}

/** A domain to look names up in; a dot alone is none at all. */
export function checkDnsSearch(text: string): string {
	const domain = text.trim();
	const label = "[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?";
	if (domain !== "." && !new RegExp(`^${label}(?:\\.${label})*\\.?$`).test(domain))
		throw new Error(`${text} is not a valid domain`);
	return domain;
}
