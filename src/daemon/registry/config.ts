import { readFileSync } from "node:fs";
import { errorMessage, InvalidParameterError } from "../../base/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../../base/logger.ts";
import { OPTIONS, type OptionRow } from "./options.ts";

type Value = string | boolean | readonly string[];

/** The options of one run: flags over file over fallbacks. */
export class RegistryConfig {
	constructor(
		private readonly values: ReadonlyMap<string, Value>,
		private readonly flags: ReadonlyMap<string, Value>,
	) {}

	/** On the command line, that is, and not in the file. */
	isFlagGiven(name: string): boolean {
		return this.flags.has(name);
	}

	text(name: string): string | undefined {
		const value = this.values.get(name) ?? rowOf(name).fallback;
		return typeof value === "string" && value !== "" ? value : undefined;
	}

	/** @throws InvalidParameterError when it is missing */
	required(name: string): string {
		const value = this.text(name);
		if (value === undefined) throw new InvalidParameterError(`--${name} is required`);
		return value;
	}

	flag(name: string): boolean {
		return this.values.get(name) === true;
	}

	list(name: string): readonly string[] {
		const value = this.values.get(name);
		return Array.isArray(value) ? value : [];
	}

	durationMs(name: string): number {
		const text = this.required(name);
		const found = parseDurationMs(text);
		if (found === undefined)
			throw new InvalidParameterError(`--${name}: invalid time ${JSON.stringify(text)}, want e.g. 90s, 10m or 24h`);
		return found;
	}

	get logLevel(): LogLevel {
		const text = this.text("log-level");
		const level = LOG_LEVELS.find((each) => each === text);
		if (level === undefined) throw new InvalidParameterError(`--log-level: unknown level ${text}`);
		return level;
	}

	get logFormat(): "text" | "json" {
		const text = this.text("log-format");
		if (text !== "text" && text !== "json") throw new InvalidParameterError(`--log-format: unknown format ${text}`);
		return text;
	}

	/** Host and port to listen on. `:5000` listens everywhere. */
	get address(): { readonly hostname: string; readonly port: number } {
		const text = this.required("addr");
		const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
		const port = Number(match?.[2]);
		if (match === null || port > 65_535)
			throw new InvalidParameterError(`--addr: want HOST:PORT, not ${JSON.stringify(text)}`);
		const hostname = (match[1] ?? "").replace(/^\[|\]$/g, "");
		return { hostname: hostname === "" ? "0.0.0.0" : hostname, port };
	}
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseDurationMs(text: string): number | undefined {
	if (text === "0") return 0;
	if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
	return Array.from(
		text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g),
		([, count, unit = ""]) => Number(count) * (UNITS_MS[unit] ?? 0),
	).reduce((sum, each) => sum + each, 0);
}

/** @throws InvalidParameterError */
export function readConfig(argv: readonly string[]): RegistryConfig {
	const flags = parseFlags(argv);
	const path = flags.get("config");
	const file = typeof path === "string" ? parseFile(path) : new Map<string, Value>();
	return new RegistryConfig(new Map([...file, ...flags]), flags);
}

function parseFlags(argv: readonly string[]): Map<string, Value> {
	const values = new Map<string, Value>();
	for (let index = 0; index < argv.length; index++) {
		const argument = argv[index] ?? "";
		const match = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(argument);
		if (match === null) throw new InvalidParameterError(`unexpected argument: ${argument}`);
		const [, name = "", attached] = match;
		const row = OPTIONS.find((each) => each.name === name);
		if (row === undefined) throw new InvalidParameterError(`unknown flag: --${name}`);
		if (row.kind === "flag") {
			values.set(name, readBoolean(attached ?? "true", `--${name}`));
			continue;
		}
		const text = attached ?? argv[++index];
		if (text === undefined) throw new InvalidParameterError(`flag needs an argument: --${name}`);
		const before = values.get(name);
		values.set(name, row.kind === "list" ? [...(Array.isArray(before) ? before : []), text] : text);
	}
	return values;
}

function parseFile(path: string): Map<string, Value> {
	let document: unknown;
	try {
		document = Bun.YAML.parse(readFileSync(path, "utf8"));
	} catch (cause) {
		throw new InvalidParameterError(`--config ${path}: ${errorMessage(cause)}`, { cause });
	}
	if (typeof document !== "object" || document === null || Array.isArray(document))
		throw new InvalidParameterError(`--config ${path}: not a mapping`);
	return new Map(Object.entries(document).map(([name, value]) => [name, fileValue(path, name, value)]));
}

function fileValue(path: string, name: string, value: unknown): Value {
	const row = OPTIONS.find((each) => each.name === name && each.name !== "config");
	if (row === undefined) throw new InvalidParameterError(`--config ${path}: unknown key ${name}`);
	if (row.kind === "flag") return readBoolean(String(value), `--config ${path}: ${name}`);
	if (row.kind === "list") return (Array.isArray(value) ? value : [value]).map(String);
	if (typeof value !== "string" && typeof value !== "number")
		throw new InvalidParameterError(`--config ${path}: ${name} is not a text`);
	return String(value);
}

function readBoolean(text: string, where: string): boolean {
	if (text === "true" || text === "false") return text === "true";
	throw new InvalidParameterError(`${where}: want true or false, not ${JSON.stringify(text)}`);
}

function rowOf(name: string): OptionRow {
	const row = OPTIONS.find((each) => each.name === name);
	if (row === undefined) throw new Error(`no option ${name}`);
	return row;
}
