/** The daemon's configuration: flags, file and environment, with the defaults of this program filled in. */
import { readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { type ApiVersion, atLeast, MAX_API_VERSION, MIN_API_VERSION, parseApiVersion } from "../api/engine/version.ts";
import { errnoCode, errorMessage, InvalidParameterError, NotImplementedError } from "../base/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../base/logger.ts";
import { parseCacheRules } from "../core/build/gc-rules.ts";
import { DEFAULT_GC_POLICY, type GcPolicy, parseGcPolicy } from "../core/gc/policy.ts";
import type { DefaultBridgeFamily } from "../core/network/default-bridge.ts";
import { parseCidr, tryParseIp } from "../core/network/ip-address.ts";
import { parseMirror } from "../core/remotes/endpoint.ts";
import { parseExceptions } from "../core/remotes/proxy.ts";
import { type OptionValues, optionName, parseConfigFile, parseFlags } from "./option-parser.ts";
import { OPTIONS, type OptionRow } from "./option-table.ts";
import type { OptionValue, PoolValue, RuntimeValue, UlimitValue } from "./option-values.ts";

export const DEFAULT_CONFIG_FILE = "/etc/gantry/daemon.json";
export const DEFAULT_SOCKET = "unix:///var/run/gantry.sock";

export interface TlsConfig {
	readonly enabled: boolean;
	/** Clients need a certificate that `caFile` signed. */
	readonly verifyClient: boolean;
	readonly caFile: string;
	readonly certFile: string;
	readonly keyFile: string;
}

export interface RegistryConfig {
	readonly mirrors: readonly string[];
	readonly insecure: readonly string[];
	readonly maxDownloads: number;
	readonly maxUploads: number;
	readonly downloadAttempts: number;
	/** Each with a directory per registry; earlier ones win. */
	readonly hostDirectories: readonly string[];
	readonly proxies: {
		readonly http: string | undefined;
		readonly https: string | undefined;
		readonly exceptions: readonly string[];
	};
}

export interface DaemonConfig {
	/** `unix:///path`, `tcp://host:port` or `fd://`. */
	readonly hosts: readonly string[];
	readonly group: string;
	readonly dataRoot: string;
	readonly execRoot: string;
	readonly pidFile: string;
	/** Undefined: no file was there. */
	readonly configFile: string | undefined;
	readonly tls: TlsConfig;
	readonly allowInsecureTcp: boolean;
	readonly bridge: {
		readonly name: string;
		readonly v4: DefaultBridgeFamily;
		/** Undefined: no IPv6 on the default bridge. */
		readonly v6: DefaultBridgeFamily | undefined;
		readonly mtu: number;
		readonly interContainer: boolean;
		readonly masquerade: boolean;
		/** Host address of published ports that name none; empty: all. */
		readonly hostAddress: string;
		readonly ipForward: boolean;
		/** Published ports obey the host's own input chains. */
		readonly inputFirewall: boolean;
		/** Published ports are reached at the containers' own addresses, too, from wherever there is a route. */
		readonly directRouting: boolean;
		/** Options of new networks, by driver. */
		readonly networkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
		readonly addressPools: readonly PoolValue[];
		readonly hostGatewayAddresses: readonly string[];
	};
	readonly dns: {
		readonly servers: readonly string[];
		readonly search: readonly string[];
		readonly options: readonly string[];
	};
	/** Names of containers for the host. */
	readonly hostDns: {
		readonly enabled: boolean;
		/** Loopback address to answer at. */
		readonly address: string;
		/** Stand first in /etc/resolv.conf while the daemon runs. */
		readonly resolvConf: boolean;
	};
	/** What containers get that say nothing themselves. */
	readonly containers: {
		readonly ulimits: Readonly<Record<string, UlimitValue>>;
		readonly shmSizeBytes: number;
		/** Undefined: crun where it is installed, else runc. */
		readonly runtime: string | undefined;
		readonly cgroupnsMode: "host" | "private" | undefined;
		readonly ipcMode: "private" | "shareable";
		readonly cgroupParent: string;
		readonly init: boolean;
		readonly initPath: string;
		readonly logDriver: string;
		readonly logOptions: Readonly<Record<string, string>>;
		readonly noNewPrivileges: boolean;
		readonly seccompProfile: string;
	};
	readonly runtimes: Readonly<Record<string, RuntimeValue>>;
	/** Undefined: overlay2 where it works, else vfs. */
	readonly storageDriver: "overlay2" | "vfs" | undefined;
	readonly logLevel: LogLevel;
	readonly logFormat: "text" | "json";
	readonly debug: boolean;
	readonly experimental: boolean;
	readonly labels: readonly string[];
	readonly shutdownTimeoutSeconds: number;
	readonly minApiVersion: ApiVersion;
	readonly registry: RegistryConfig;
	readonly gc: GcPolicy;
	/** `builder`, as `parseCacheRules` reads it. */
	readonly builder: Readonly<Record<string, unknown>>;
	/** Names of the given options that nothing acts on yet. */
	readonly idleOptions: readonly string[];
}

/** What to do: run, or print something and end. */
export type Invocation =
	| { readonly kind: "help" }
	| { readonly kind: "version" }
	| { readonly kind: "validate"; readonly config: DaemonConfig }
	| { readonly kind: "run"; readonly config: DaemonConfig };

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws InvalidParameterError, NotImplementedError */
export function readInvocation(argv: readonly string[], environment: Environment): Invocation {
	const flags = parseFlags(argv);
	if (flags.get("help") === true) return { kind: "help" };
	if (flags.get("version") === true) return { kind: "version" };
	const config = loadConfig(flags, environment);
	return { kind: flags.get("validate") === true ? "validate" : "run", config };
}

/** The same again from the same flags, for a reload. @throws InvalidParameterError, NotImplementedError */
export function loadConfig(flags: OptionValues, environment: Environment): DaemonConfig {
	const explicit = flags.get("config-file");
	const path = typeof explicit === "string" ? explicit : DEFAULT_CONFIG_FILE;
	const text = readConfigText(path, explicit !== undefined);
	try {
		const file = text === undefined ? new Map<string, OptionValue>() : parseConfigFile(text, flags);
		const runtimes = { ...asRecord(file.get("add-runtime")), ...asRecord(flags.get("add-runtime")) };
		const values = new Map([...file, ...flags, ["add-runtime", runtimes]]);
		return settle(values, environment, text === undefined ? undefined : path);
	} catch (cause) {
		if (text === undefined) throw cause;
		throw new InvalidParameterError(`unable to configure the Gantry daemon with file ${path}: ${errorMessage(cause)}`, {
			cause,
		});
	}
}

function readConfigText(path: string, mustExist: boolean): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch (cause) {
		if (!mustExist && errnoCode(cause) === "ENOENT") return undefined;
		throw new InvalidParameterError(`unable to configure the Gantry daemon with file ${path}: ${errorMessage(cause)}`, {
			cause,
		});
	}
}

function asRecord(value: OptionValue | undefined): Readonly<Record<string, unknown>> {
	return typeof value === "object" && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Typed access to the table of values. */
class Values {
	constructor(private readonly values: OptionValues) {}

	text(name: string): string | undefined {
		const value = this.values.get(name);
		return typeof value === "string" && value !== "" ? value : undefined;
	}

	flag(name: string, absent: boolean): boolean {
		const value = this.values.get(name);
		return typeof value === "boolean" ? value : absent;
	}

	number(name: string, absent: number, minimum: number): number {
		const value = this.values.get(name) ?? absent;
		if (typeof value !== "number" || value < minimum)
			throw new InvalidParameterError(`invalid value ${String(value)} for ${name}: must be at least ${minimum}`);
		return value;
	}

	list(name: string): readonly string[] {
		const value = this.values.get(name);
		return Array.isArray(value) ? (value as readonly string[]) : [];
	}

	record<T>(name: string): Readonly<Record<string, T>> {
		return asRecord(this.values.get(name)) as Readonly<Record<string, T>>;
	}

	choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
		const text = this.text(name);
		const found = choices.find((choice) => choice === text);
		if (text !== undefined && found === undefined)
			throw new InvalidParameterError(`invalid value "${text}" for ${name}: must be one of ${choices.join(", ")}`);
		return found;
	}
}

function settle(table: OptionValues, environment: Environment, configFile: string | undefined): DaemonConfig {
	refuseUnavailable(table);
	const values = new Values(table);
	const dataRoot = absolute(values.text("data-root") ?? "/var/lib/gantry");
	const execRoot = absolute(values.text("exec-root") ?? "/run/gantry");
	const hosts = values.list("host").map(normaliseHost);
	return {
		hosts: hosts.length === 0 ? [DEFAULT_SOCKET] : [...new Set(hosts)],
		group: values.text("group") ?? "",
		dataRoot,
		execRoot,
		pidFile: absolute(values.text("pidfile") ?? "/run/gantry.pid"),
		configFile,
		tls: tlsConfig(values, environment),
		allowInsecureTcp: values.flag("allow-insecure-tcp", false),
		bridge: bridgeConfig(values),
		dns: {
			servers: checkAddresses("dns", values.list("dns")),
			search: values.list("dns-search"),
			options: values.list("dns-opt"),
		},
		hostDns: hostDns(values),
		containers: containerDefaults(values),
		runtimes: checkRuntimes(values.record<RuntimeValue>("add-runtime")),
		storageDriver: storageDriver(values),
		...logConfig(values),
		experimental: values.flag("experimental", false),
		labels: checkLabels(values.list("label")),
		shutdownTimeoutSeconds: values.number("shutdown-timeout", 15, -1),
		minApiVersion: minApiVersion(values.text("min-api-version") ?? environment["DOCKER_MIN_API_VERSION"]),
		registry: registryConfig(values, environment),
		builder: builderOf(table.has("builder") ? values.record<unknown>("builder") : {}),
		gc: table.has("gc") ? parseGcPolicy(values.record<unknown>("gc")) : DEFAULT_GC_POLICY,
		idleOptions: rows()
			.filter((row) => row.idle === true && table.has(optionName(row)))
			.map(optionName),
	};
}

/** Faults are told at the start, and when the file is validated. @throws InvalidParameterError */
function builderOf(builder: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
	parseCacheRules(builder, 0);
	return builder;
}

const HOST_DIRECTORIES = ["/etc/gantry/certs.d", "/etc/docker/certs.d"];

function registryConfig(values: Values, environment: Environment): RegistryConfig {
	// As clients see them, with a slash at the end.
	const mirrors = values.list("registry-mirror").map((mirror) => parseMirror(mirror).href.replace(/\/*$/, "/"));
	const given = values.record<unknown>("proxies");
	const proxy = (name: string) => {
		const text = values.text(name) ?? (typeof given[name] === "string" ? given[name] : undefined);
		const variable = name.replace("-", "_");
		return text ?? environment[variable.toUpperCase()] ?? environment[variable];
	};
	const own = values.text("registry-config-directory");
	return {
		mirrors,
		insecure: values.list("insecure-registry"),
		maxDownloads: values.number("max-concurrent-downloads", 3, 1),
		maxUploads: values.number("max-concurrent-uploads", 5, 1),
		downloadAttempts: values.number("max-download-attempts", 5, 1),
		hostDirectories: own === undefined ? HOST_DIRECTORIES : [absolute(own)],
		proxies: {
			http: proxy("http-proxy"),
			https: proxy("https-proxy"),
			exceptions: parseExceptions(proxy("no-proxy") ?? ""),
		},
	};
}

function rows(): readonly OptionRow[] {
	return OPTIONS;
}

/** An option that asks for what is not there is an error; one that says "off" is met. */
function refuseUnavailable(table: OptionValues): void {
	for (const row of rows()) {
		const value = table.get(optionName(row));
		if (row.refused === undefined || value === undefined || isOff(value)) continue;
		throw new NotImplementedError(`option "${optionName(row)}" ${row.refused}`);
	}
	for (const [name, why] of ALWAYS_ON) {
		if (table.get(name) === false) throw new NotImplementedError(`option "${name}" cannot be false: ${why}`);
	}
	for (const option of Array.isArray(table.get("exec-opt")) ? (table.get("exec-opt") as readonly string[]) : [])
		if (option !== "native.cgroupdriver=cgroupfs")
			throw new NotImplementedError(
				`exec option "${option}" is not available; "native.cgroupdriver=cgroupfs" is what is used`,
			);
	if (![undefined, "", "nftables"].includes(table.get("firewall-backend") as string | undefined))
		throw new NotImplementedError(
			`firewall backend "${String(table.get("firewall-backend"))}" is not available; nftables is used`,
		);
}

const ALWAYS_ON: readonly (readonly [string, string])[] = [
	["live-restore", "containers always live on when the daemon stops"],
	["iptables", "containers are reached and isolated by firewall rules (nftables, in tables of the daemon's own)"],
	["ip6tables", "containers are reached and isolated by firewall rules (nftables, in tables of the daemon's own)"],
	["userland-proxy", "the relay is part of the monitor and serves only what the firewall cannot"],
	["ip-forward-no-drop", "the host's own forward policy is never changed"],
];

function isOff(value: OptionValue): boolean {
	if (value === false || value === "" || value === 0) return true;
	return typeof value === "object" && Object.keys(value).length === 0;
}

function absolute(path: string): string {
	return isAbsolute(path) ? resolve(path) : resolve(process.cwd(), path);
}

function normaliseHost(host: string): string {
	const text = host.trim();
	if (text === "unix://") return DEFAULT_SOCKET;
	if (/^unix:\/\/\/?[^\s]+$/.test(text)) return `unix://${absolute(text.slice("unix://".length))}`;
	if (/^(?:\/|\.)/.test(text)) return `unix://${absolute(text)}`;
	if (/^fd:\/\//.test(text)) return text;
	const tcp = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^:/\s]*)(?::(\d{1,5}))?\/?$/.exec(text);
	if (tcp === null || Number(tcp[2] ?? 0) > 65_535)
		throw new InvalidParameterError(`invalid bind address (${host}): must be unix://PATH, tcp://HOST:PORT or fd://`);
	return `tcp://${tcp[1] === "" ? "127.0.0.1" : tcp[1]}:${tcp[2] ?? ""}`;
}

function tlsConfig(values: Values, environment: Environment): TlsConfig {
	const verifyClient = values.flag("tlsverify", (environment["DOCKER_TLS_VERIFY"] ?? "") !== "");
	const directory = environment["DOCKER_CERT_PATH"] || `${environment["HOME"] ?? "/root"}/.docker`;
	return {
		enabled: verifyClient || values.flag("tls", false),
		verifyClient,
		caFile: absolute(values.text("tlscacert") ?? `${directory}/ca.pem`),
		certFile: absolute(values.text("tlscert") ?? `${directory}/cert.pem`),
		keyFile: absolute(values.text("tlskey") ?? `${directory}/key.pem`),
	};
}

function bridgeConfig(values: Values): DaemonConfig["bridge"] {
	const name = values.text("bridge") ?? "gantry0";
	if (!/^[^\s/:]{1,15}$/.test(name)) throw new InvalidParameterError(`invalid bridge name "${name}"`);
	const hostAddress = values.text("ip") ?? "";
	const [address] = checkAddresses("ip", hostAddress === "" ? [] : [hostAddress]);
	// As with Docker, what is said of IPv6 counts only when it is switched on; it is checked all the same.
	const v6 = bridgeFamily(values, 6);
	return {
		name,
		v4: bridgeFamily(values, 4),
		v6: values.flag("ipv6", false) ? v6 : undefined,
		mtu: values.number("mtu", 1500, 0) || 1500,
		interContainer: values.flag("icc", true),
		masquerade: values.flag("ip-masq", true),
		hostAddress: address ?? "",
		ipForward: values.flag("ip-forward", true),
		inputFirewall: values.flag("input-firewall", true),
		directRouting: values.flag("allow-direct-routing", false),
		networkOptions: values.record("default-network-opt"),
		addressPools: values.list("default-address-pool") as unknown as readonly PoolValue[],
		hostGatewayAddresses: checkAddresses("host-gateway-ip", values.list("host-gateway-ip")),
	};
}

function bridgeFamily(values: Values, family: 4 | 6): DefaultBridgeFamily {
	const [bip, fixed, gateway] =
		family === 4
			? (["bip", "fixed-cidr", "default-gateway"] as const)
			: (["bip6", "fixed-cidr-v6", "default-gateway-v6"] as const);
	const address = checkCidr(bip, values.text(bip), family);
	const range = checkCidr(fixed, values.text(fixed), family);
	const nextHop = values.text(gateway);
	if (nextHop !== undefined && tryParseIp(nextHop)?.family !== family)
		throw new InvalidParameterError(`invalid value "${nextHop}" for ${gateway}: not an IPv${family} address`);
	return {
		...(address !== undefined && { address }),
		...(range !== undefined && { range }),
		...(nextHop !== undefined && { nextHop }),
	};
}

function checkCidr(name: string, text: string | undefined, family: 4 | 6): string | undefined {
	if (text === undefined) return undefined;
	let found: number;
	try {
		found = parseCidr(text).address.family;
	} catch (cause) {
		throw new InvalidParameterError(`invalid CIDR address for ${name}: ${text}`, { cause });
	}
	if (found !== family)
		throw new InvalidParameterError(`invalid ${name}: '${text}' is not a valid IPv${family} subnet`);
	return text;
}

function checkAddresses(name: string, addresses: readonly string[]): readonly string[] {
	for (const address of addresses)
		if (!/^[0-9a-fA-F.:]+$/.test(address) || !/[.:]/.test(address))
			throw new InvalidParameterError(`invalid value "${address}" for ${name}: not an IP address`);
	return addresses;
}

const HOST_DNS_ADDRESS = "127.0.0.111";

function hostDns(values: Values): DaemonConfig["hostDns"] {
	const address = values.text("host-dns-address") ?? HOST_DNS_ADDRESS;
	if (!/^127(\.\d{1,3}){3}$/.test(address))
		throw new InvalidParameterError(`invalid value "${address}" for host-dns-address: not an address of 127.0.0.0/8`);
	return {
		enabled: values.flag("host-dns", false),
		address,
		resolvConf: values.flag("host-dns-resolv-conf", false),
	};
}

const DEFAULT_SHM_BYTES = 64 * 1024 ** 2;

function containerDefaults(values: Values): DaemonConfig["containers"] {
	return {
		ulimits: values.record<UlimitValue>("default-ulimit"),
		shmSizeBytes: values.number("default-shm-size", DEFAULT_SHM_BYTES, 1),
		runtime: values.text("default-runtime"),
		cgroupnsMode: values.choice("default-cgroupns-mode", ["host", "private"]),
		ipcMode: values.choice("default-ipc-mode", ["private", "shareable"]) ?? "private",
		cgroupParent: values.text("cgroup-parent") ?? "",
		init: values.flag("init", false),
		initPath: values.text("init-path") ?? "",
		logDriver: values.text("log-driver") ?? "json-file",
		logOptions: values.record<string>("log-opt"),
		noNewPrivileges: values.flag("no-new-privileges", false),
		seccompProfile: values.text("seccomp-profile") ?? "builtin",
	};
}

const RESERVED_RUNTIMES: ReadonlySet<string> = new Set(["crun", "runc"]);

function checkRuntimes(runtimes: Readonly<Record<string, RuntimeValue>>): Readonly<Record<string, RuntimeValue>> {
	for (const [name, { path }] of Object.entries(runtimes)) {
		if (RESERVED_RUNTIMES.has(name)) throw new InvalidParameterError(`runtime name '${name}' is reserved`);
		if (path.includes("/") && !isAbsolute(path))
			throw new InvalidParameterError(`runtime ${name}: path must be absolute or a program's name: ${path}`);
	}
	return runtimes;
}

function storageDriver(values: Values): "overlay2" | "vfs" | undefined {
	const text = values.text("storage-driver");
	if (text === undefined || text === "overlay2" || text === "vfs") return text;
	if (text === "overlay") return "overlay2";
	throw new NotImplementedError(`storage driver "${text}" is not available; overlay2 and vfs are`);
}

function logConfig(values: Values): Pick<DaemonConfig, "logLevel" | "logFormat" | "debug"> {
	const level = values.text("log-level")?.toLowerCase() ?? "info";
	const known = level === "fatal" || level === "panic" ? "error" : level === "warning" ? "warn" : level;
	const logLevel = LOG_LEVELS.find((candidate) => candidate === known);
	if (logLevel === undefined) throw new InvalidParameterError(`unable to parse logging level: ${level}`);
	const debug = values.flag("debug", false);
	return {
		logLevel: debug && logLevel !== "trace" ? "debug" : logLevel,
		logFormat: values.choice("log-format", ["text", "json"]) ?? "text",
		debug: debug || logLevel === "debug" || logLevel === "trace",
	};
}

function checkLabels(labels: readonly string[]): readonly string[] {
	const seen = new Map<string, string>();
	for (const label of labels) {
		const equals = label.indexOf("=");
		if (equals <= 0) throw new InvalidParameterError(`bad attribute format: ${label}`);
		const key = label.slice(0, equals);
		const earlier = seen.get(key);
		if (earlier !== undefined && earlier !== label)
			throw new InvalidParameterError(`conflict labels for ${key}=${label.slice(equals + 1)} and ${earlier}`);
		seen.set(key, label);
	}
	return [...seen.values()];
}

function minApiVersion(text: string | undefined): ApiVersion {
	if (text === undefined || text === "") return MIN_API_VERSION;
	const version = parseApiVersion(text);
	const isKnown =
		version.major === 1 && version.minor >= MIN_API_VERSION.minor && !atLeast(version, MAX_API_VERSION.minor + 1);
	if (!isKnown)
		throw new InvalidParameterError(
			`minimum API version ${text} is not one of those served: ${MIN_API_VERSION.major}.${MIN_API_VERSION.minor} to ${MAX_API_VERSION.major}.${MAX_API_VERSION.minor}`,
		);
	return version;
}
