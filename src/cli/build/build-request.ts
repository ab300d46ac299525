import { resolve } from "node:path";
import { parseBytes } from "../../base/units.ts";
import type { BuildAnnotation, BuildLimits, CacheEndpoint } from "../../core/build/request.ts";
import type { BuildCall } from "../../core/build/session/build-call.ts";
import { parsePlatform } from "../../core/image/platform.ts";
import { parseReference } from "../../core/image/reference.ts";
import type { ParsedOptions } from "../command.ts";
import { checkUlimit } from "../container/option-checks.ts";
import { parseValues } from "../option-parser.ts";
import type { Environment } from "../settings.ts";
import { parseBoolean, parseKeyValues } from "./key-values.ts";
import type { ParsedOutput } from "./output-options.ts";

/** The part of a request that options alone decide. */
export type OptionRequest = Omit<BuildCall, "method" | "id" | "dockerfile" | "context" | "namedContexts">;

export interface RequestSurroundings {
	readonly environment: Environment;
	/** `proxies` of config.json for this daemon, by the names of its keys. */
	readonly proxies: Readonly<Record<string, string>>;
	readonly outputs: readonly ParsedOutput[];
}

/** @throws UsageError for values that are wrong, Error for combinations that are */
export function optionRequest(options: ParsedOptions, surroundings: RequestSurroundings): OptionRequest {
	const isolation = options.text("isolation");
	if (isolation !== "" && isolation !== "default")
		throw new Error(`isolation ${isolation} is not supported: there is nothing but default on Linux`);
	if (options.list("security-opt").length > 0)
		throw new Error("--security-opt is not supported: allow a step more with --allow and RUN --security");
	const buildArgs = buildArguments(options, surroundings);
	const noCacheStages = options.list("no-cache-filter").flatMap((text) => text.split(","));
	return {
		target: options.text("target"),
		buildArgs,
		labels: Object.fromEntries(options.list("label").map(splitPair)),
		tags: parseValues(options, "tag", checkedTag),
		platforms: parseValues(options, "platform", (text) => text.split(",").map(parsePlatform)).flat(),
		noCache: options.bool("no-cache") ? "all" : noCacheStages,
		pull: options.bool("pull"),
		cacheFrom: parseValues(options, "cache-from", cacheSource),
		cacheTo: parseValues(options, "cache-to", cacheTarget),
		network: networkMode(options.text("network")),
		extraHosts: parseValues(options, "add-host", checkedHost),
		limits: limits(options),
		outputs: surroundings.outputs.map(({ output }) => output),
		annotations: parseValues(options, "annotation", parseAnnotation).flat(),
		attestations: attestations(options),
		squash: options.bool("squash"),
		allow: options.list("allow").flatMap((text) => text.split(",")),
		sourceDateEpoch: sourceDateEpoch(buildArgs, surroundings.environment),
	};
}

function splitPair(text: string): [string, string] {
	const equals = text.indexOf("=");
	return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

const PROXY_VARIABLES: Readonly<Record<string, string>> = {
	httpProxy: "HTTP_PROXY",
	httpsProxy: "HTTPS_PROXY",
	ftpProxy: "FTP_PROXY",
	noProxy: "NO_PROXY",
	allProxy: "ALL_PROXY",
};

/** `--build-arg`s, and the proxies of config.json under the names that programs know them by. */
function buildArguments(
	options: ParsedOptions,
	{ environment, proxies }: Pick<RequestSurroundings, "environment" | "proxies">,
): Record<string, string> {
	const values: Record<string, string> = {};
	for (const text of options.list("build-arg")) {
		const equals = text.indexOf("=");
		const name = equals < 0 ? text : text.slice(0, equals);
		const value = equals < 0 ? environment[name] : text.slice(equals + 1);
		if (value !== undefined) values[name] = value;
	}
	for (const [key, variable] of Object.entries(PROXY_VARIABLES))
		for (const name of [variable, variable.toLowerCase()]) {
			const value = proxies[key];
			if (value !== undefined && !Object.hasOwn(values, name)) values[name] = value;
		}
	const epoch = environment["SOURCE_DATE_EPOCH"];
	if (epoch !== undefined && !Object.hasOwn(values, "SOURCE_DATE_EPOCH")) values["SOURCE_DATE_EPOCH"] = epoch;
	return values;
}

function sourceDateEpoch(buildArgs: Readonly<Record<string, string>>, environment: Environment): number | null {
	const text = buildArgs["SOURCE_DATE_EPOCH"] ?? environment["SOURCE_DATE_EPOCH"] ?? "";
	if (text === "") return null;
	if (!/^\d{1,12}$/.test(text)) throw new Error(`invalid SOURCE_DATE_EPOCH: ${text}`);
	return Number(text);
}

function checkedTag(text: string): string {
	parseReference(text);
	return text;
}

function checkedHost(text: string): string {
	const separator = /[=:]/.exec(text)?.index ?? -1;
	if (separator <= 0 || separator === text.length - 1) throw new Error(`bad format for add-host: "${text}"`);
	return `${text.slice(0, separator)}:${text.slice(separator + 1)}`;
}

function networkMode(text: string): string {
	return text === "" ? "default" : text;
}

/** `user/app:cache` is a registry's. */
function cacheEndpoint(text: string): { type: string; attributes: Record<string, string> } {
	if (!text.includes("=")) return { type: "registry", attributes: { ref: text } };
	const { type = "", ...attributes } = Object.fromEntries(parseKeyValues(text));
	if (type === "") throw new Error(`type required form> ${JSON.stringify(text)}`);
	return { type, attributes };
}

function cacheSource(text: string): CacheEndpoint {
	const { type, attributes } = cacheEndpoint(text);
	if (type !== "registry" && type !== "local") throw unknownCache(type, "registry, local");
	if (type === "registry" && !attributes["ref"]) throw new Error("registry cache importer requires ref");
	if (type === "local")
		return { type, attributes: withAbsolute(attributes, "src", "local cache importer requires src") };
	return { type, attributes };
}

function cacheTarget(text: string): CacheEndpoint {
	const { type, attributes } = cacheEndpoint(text);
	if (type !== "registry" && type !== "local" && type !== "inline") throw unknownCache(type, "registry, local, inline");
	if (type === "registry" && !attributes["ref"]) throw new Error("registry cache exporter requires ref");
	if (type === "local")
		return { type, attributes: withAbsolute(attributes, "dest", "local cache exporter requires dest") };
	return { type, attributes };
}

/** The daemon runs elsewhere. @throws Error when the path is missing */
function withAbsolute(attributes: Record<string, string>, key: string, missing: string): Record<string, string> {
	const path = attributes[key];
	if (!path) throw new Error(missing);
	return { ...attributes, [key]: resolve(path) };
}

function unknownCache(type: string, known: string): Error {
	return new Error(`caches of type ${type} are not supported: ${known}`);
}

function limits(options: ParsedOptions): BuildLimits {
	const bytes = (name: string) => parseValues(options, name, parseBytes)[0];
	const whole = (name: string) => parseValues(options, name, wholeNumber)[0];
	const swap = options.text("memory-swap") === "-1" ? -1 : bytes("memory-swap");
	const ulimits = parseValues(options, "ulimit", checkUlimit);
	const entries: [keyof BuildLimits, unknown][] = [
		["memoryBytes", bytes("memory")],
		["memorySwapBytes", swap],
		["cpuShares", whole("cpu-shares")],
		["cpuPeriod", whole("cpu-period")],
		["cpuQuota", whole("cpu-quota")],
		["cpusetCpus", options.text("cpuset-cpus") || undefined],
		["cpusetMems", options.text("cpuset-mems") || undefined],
		["shmSizeBytes", bytes("shm-size")],
		["ulimits", ulimits.length === 0 ? undefined : ulimits],
		["cgroupParent", options.text("cgroup-parent") || undefined],
	];
	return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function wholeNumber(text: string): number {
	if (!/^-?\d{1,15}$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
	return Number(text);
}

const LEVELS: readonly string[] = ["manifest", "index", "manifest-descriptor", "index-descriptor"];

/** `key=value`, `index,manifest:key=value`. */
function parseAnnotation(text: string): BuildAnnotation[] {
	const equals = text.indexOf("=");
	if (equals <= 0) throw new Error(`invalid annotation "${text}", expected key=value`);
	const head = text.slice(0, equals);
	const colon = head.indexOf(":");
	const words = colon < 0 ? [] : head.slice(0, colon).split(",");
	const isPrefixed = words.length > 0 && words.every((word) => LEVELS.includes(word.replace(/\[.*\]$/, "")));
	const levels = isPrefixed ? words : ["manifest"];
	const key = isPrefixed ? head.slice(colon + 1) : head;
	if (key === "") throw new Error(`invalid annotation "${text}", expected key=value`);
	return levels.map((level) => {
		if (level.includes("[")) throw new Error(`annotations of one platform are not supported: ${level}`);
		return { level: level as BuildAnnotation["level"], key, value: text.slice(equals + 1) };
	});
}

const DEFAULT_SBOM_GENERATOR = "";

function attestations(options: ParsedOptions): BuildCall["attestations"] {
	const wanted = new Map<string, Map<string, string>>();
	for (const values of parseValues(options, "attest", parseKeyValues)) {
		const type = values.get("type") ?? "";
		if (type !== "sbom" && type !== "provenance") throw new Error(`unknown attestation type: ${type || "none given"}`);
		wanted.set(type, values);
	}
	for (const type of ["sbom", "provenance"] as const) {
		const text = options.text(type);
		if (text === "") continue;
		const isSwitch = !text.includes("=");
		const values = isSwitch ? new Map<string, string>() : parseKeyValues(text);
		if (isSwitch && !parseBoolean(text, `--${type}`)) values.set("disabled", "true");
		wanted.set(type, values);
	}
	const enabled = (type: string) => {
		const values = wanted.get(type);
		return values === undefined || values.get("disabled") === "true" ? undefined : values;
	};
	const provenance = enabled("provenance");
	const sbom = enabled("sbom");
	const mode = provenance?.get("mode") ?? "min";
	if (mode !== "min" && mode !== "max") throw new Error(`invalid provenance mode: ${mode}`);
	return {
		...(provenance === undefined ? {} : { provenance: { mode } }),
		...(sbom === undefined ? {} : { sbom: { generator: sbom.get("generator") ?? DEFAULT_SBOM_GENERATOR } }),
	};
}
