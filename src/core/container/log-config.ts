import type { LogConfig, StringMap } from "../../api/engine/container.ts";
import { InvalidParameterError, NotImplementedError } from "../../base/errors.ts";
import { parseBytes } from "../../base/units.ts";
import type { LogSink } from "./runtime.ts";

/** Docker's other drivers: known by name, so that the answer can say what is missing. */
const KNOWN_ELSEWHERE: ReadonlySet<string> = new Set([
	"awslogs",
	"etwlogs",
	"fluentd",
	"gcplogs",
	"gelf",
	"journald",
	"splunk",
	"syslog",
]);

const SHARED_OPTIONS = [
	"mode",
	"max-buffer-size",
	"cache-disabled",
	"cache-max-size",
	"cache-max-file",
	"cache-compress",
];
const ROTATION_OPTIONS = ["max-size", "max-file", "compress"];
const ATTRIBUTE_OPTIONS = ["labels", "labels-regex", "env", "env-regex", "tag"];

/** Logs rotate unless told otherwise: five files of 10 MB (`local`: 20 MB, as Docker's). */
const DEFAULT_MAX_FILES = 5;
const DEFAULT_MAX_BYTES: Readonly<Record<string, number>> = { "json-file": 10 * 1024 ** 2, local: 20 * 1024 ** 2 };

/**
 * The driver and its options; the daemon's own options are used when the request names no driver or the same one.
 * @throws InvalidParameterError, NotImplementedError
 */
export function normaliseLogConfig(
	requested: LogConfig | undefined,
	defaults: { readonly driver: string; readonly options: Readonly<StringMap> },
): Required<LogConfig> {
	const Type = requested?.Type || defaults.driver;
	const inherited = Type === defaults.driver ? defaults.options : {};
	const Config = { ...inherited, ...requested?.Config };
	checkLogOptions(Type, Config);
	return { Type, Config };
}

/** @throws InvalidParameterError, NotImplementedError */
export function checkLogOptions(driver: string, options: Readonly<StringMap>): void {
	if (KNOWN_ELSEWHERE.has(driver)) throw new NotImplementedError(`the logging driver ${driver} is not supported`);
	if (driver === "none") return;
	if (driver !== "json-file" && driver !== "local")
		throw new InvalidParameterError(`error looking up logging plugin ${driver}: plugin "${driver}" not found`);
	const known = [...SHARED_OPTIONS, ...ROTATION_OPTIONS, ...(driver === "json-file" ? ATTRIBUTE_OPTIONS : [])];
	for (const key of Object.keys(options))
		if (!known.includes(key))
			throw new InvalidParameterError(
				driver === "local"
					? `unknown log opt '${key}' for log driver local`
					: `unknown log opt '${key}' for ${driver} log driver`,
			);
	checkMode(options);
	for (const name of ["labels-regex", "env-regex"]) checkPattern(options[name]);
}

function checkMode(options: Readonly<StringMap>): void {
	const mode = options["mode"] ?? "";
	if (!["", "blocking", "non-blocking"].includes(mode))
		throw new InvalidParameterError(`logger: logging mode not supported: ${mode}`);
	const size = options["max-buffer-size"];
	if (size === undefined) return;
	if (mode !== "non-blocking")
		throw new InvalidParameterError("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
	try {
		parseBytes(size);
	} catch (cause) {
		throw new InvalidParameterError(`error parsing option max-buffer-size: invalid size: '${size}'`, { cause });
	}
}

function checkPattern(pattern: string | undefined): void {
	if (pattern === undefined) return;
	try {
		new RegExp(pattern);
	} catch (cause) {
		throw new InvalidParameterError(`error parsing regexp: ${pattern}`, { cause });
	}
}

export interface LoggedContainer {
	readonly id: string;
	readonly name: string;
	readonly imageId: string;
	readonly imageReference: string;
	readonly labels: Readonly<StringMap>;
	readonly env: readonly string[];
	/** Current log file. */
	readonly path: string;
}

/**
 * What the monitor is told. Values are only checked here, at start, as Docker does.
 * @throws InvalidParameterError
 */
export function logSink(config: LogConfig, container: LoggedContainer): LogSink {
	const kind = config.Type;
	if (kind !== "json-file" && kind !== "local") return { kind: "none" };
	const options = config.Config ?? {};
	const maxFiles = rotationCount(options["max-file"]);
	const compress = rotationBoolean(options["compress"], kind === "local");
	const sizeText = options["max-size"];
	const maxSizeBytes =
		sizeText === undefined
			? (DEFAULT_MAX_BYTES[kind] ?? 0)
			: sizeText === "-1"
				? 0
				: initialise(() => parseBytes(sizeText));
	const attributes = kind === "json-file" ? logAttributes(options, container) : {};
	return {
		kind,
		path: container.path,
		maxSizeBytes,
		maxFiles,
		compress: compress && maxFiles > 1,
		...(Object.keys(attributes).length === 0 ? {} : { attributes }),
	};
}

function initialise<T>(read: () => T): T {
	try {
		return read();
	} catch (cause) {
		throw failure(cause instanceof Error ? cause.message : String(cause), cause);
	}
}

function failure(why: string, cause?: unknown): InvalidParameterError {
	const message = `failed to create task for container: failed to initialize logging driver: ${why}`;
	return new InvalidParameterError(message, { cause });
}

function rotationCount(text: string | undefined): number {
	if (text === undefined) return DEFAULT_MAX_FILES;
	if (!/^[+-]?\d+$/.test(text)) throw failure(`strconv.Atoi: parsing "${text}": invalid syntax`);
	if (Number(text) < 1) throw failure("max-file cannot be less than 1");
	return Number(text);
}

function rotationBoolean(text: string | undefined, fallback: boolean): boolean {
	if (text === undefined) return fallback;
	if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
	if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
	throw failure(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

/** `attrs` of each line: chosen labels and variables, and the tag with its placeholders filled in. */
function logAttributes(options: Readonly<StringMap>, container: LoggedContainer): Record<string, string> {
	const attributes: Record<string, string> = {};
	const environment = Object.fromEntries(
		container.env.map((entry): [string, string] => {
			const equals = entry.indexOf("=");
			return equals === -1 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
		}),
	);
	choose(container.labels, options["labels"], options["labels-regex"], attributes);
	choose(environment, options["env"], options["env-regex"], attributes);
	const tag = options["tag"] ?? "";
	if (tag !== "") attributes["tag"] = fillTag(tag, container);
	return attributes;
}

function choose(
	from: Readonly<StringMap>,
	names: string | undefined,
	pattern: string | undefined,
	into: Record<string, string>,
): void {
	const wanted = new Set((names ?? "").split(",").filter((name) => name !== ""));
	const regex = pattern === undefined || pattern === "" ? undefined : new RegExp(pattern);
	for (const [name, value] of Object.entries(from))
		if (wanted.has(name) || regex?.test(name) === true) into[name] = value;
}

/** @throws InvalidParameterError for a placeholder that is not there */
function fillTag(tag: string, container: LoggedContainer): string {
	const values: Readonly<Record<string, string>> = {
		ID: container.id.slice(0, 12),
		FullID: container.id,
		Name: container.name,
		FullName: `/${container.name}`,
		ImageID: container.imageId.replace(/^sha256:/, "").slice(0, 12),
		ImageFullID: container.imageId,
		ImageName: container.imageReference,
		DaemonName: "docker",
	};
	return tag.replace(/\{\{\s*(?:\.(\w+)|([^}]*?))\s*\}\}/g, (placeholder, name: string | undefined) => {
		const value = name === undefined ? undefined : values[name];
		if (value === undefined) throw failure(`failed to parse log tag: ${placeholder}`);
		return value;
	});
}
