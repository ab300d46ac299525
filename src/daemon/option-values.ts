/** Values of options, from flags and from the file, in one form. */
import { InvalidParameterError } from "../base/errors.ts";
import { parseBytes } from "../base/units.ts";
import type { OptionRow } from "./option-table.ts";

export interface UlimitValue {
	readonly Name: string;
	readonly Soft: number;
	readonly Hard: number;
}

export interface PoolValue {
	readonly base: string;
	readonly size: number;
}

export interface RuntimeValue {
	readonly path: string;
	readonly runtimeArgs: readonly string[];
}

export type OptionValue = string | boolean | number | readonly unknown[] | Readonly<Record<string, unknown>>;

/** Adds one flag's text to what earlier flags of the same name gave. @throws InvalidParameterError with the reason */
export function addFlagValue(row: OptionRow, text: string, earlier: OptionValue | undefined): OptionValue {
	switch (row.kind) {
		case "text":
			return text;
		case "boolean":
			return parseBoolean(text);
		case "integer":
			return parseInteger(text);
		case "bytes":
			return parseBytes(text);
		case "list":
			return [...asList(earlier), ...(text === "" ? [] : [text])];
		case "map":
		case "object":
			return { ...asObject(earlier), ...keyValue(text) };
		case "maps": {
			const [name, pair] = splitMap(text);
			return { ...asObject(earlier), [name]: { ...asObject(asObject(earlier)[name] as OptionValue), ...pair } };
		}
		case "ulimits": {
			const ulimit = parseUlimit(text);
			return { ...asObject(earlier), [ulimit.Name]: ulimit };
		}
		case "pools":
			return [...asList(earlier), parsePool(text)];
		case "runtimes": {
			const [name, path] = splitPair(text);
			return { ...asObject(earlier), [name]: { path, runtimeArgs: [] } satisfies RuntimeValue };
		}
	}
}

/** @throws InvalidParameterError with the reason */
export function readFileValue(row: OptionRow, value: unknown): OptionValue {
	switch (row.kind) {
		case "text":
			return expect(value, typeof value === "string", "a string") as string;
		case "boolean":
			return expect(value, typeof value === "boolean", "a boolean") as boolean;
		case "integer":
			return expect(value, Number.isInteger(value), "an integer") as number;
		case "bytes":
			if (Number.isInteger(value)) return value as number;
			return parseBytes(expect(value, typeof value === "string", "a size") as string);
		case "list":
			return expect(value, isTextList(value), "a list of strings") as readonly string[];
		case "map":
			return expect(value, isTextMap(value), "an object of strings") as Readonly<Record<string, string>>;
		case "maps":
			return expect(
				value,
				isObject(value) && Object.values(value).every(isTextMap),
				"an object of objects of strings",
			) as Readonly<Record<string, unknown>>;
		case "object":
			return expect(value, isObject(value), "an object") as Readonly<Record<string, unknown>>;
		case "ulimits":
			return readUlimits(value);
		case "pools":
			return readPools(value);
		case "runtimes":
			return readRuntimes(value);
	}
}

function expect(value: unknown, holds: boolean, wanted: string): unknown {
	if (!holds) throw new InvalidParameterError(`must be ${wanted}`);
	return value;
}

function parseBoolean(text: string): boolean {
	if (/^(?:1|t|true)$/i.test(text)) return true;
	if (/^(?:0|f|false)$/i.test(text)) return false;
	throw new InvalidParameterError(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

function parseInteger(text: string): number {
	if (!/^[+-]?\d{1,15}$/.test(text))
		throw new InvalidParameterError(`strconv.ParseInt: parsing "${text}": invalid syntax`);
	return Number(text);
}

function splitPair(text: string): readonly [string, string] {
	const equals = text.indexOf("=");
	if (equals <= 0 || equals === text.length - 1)
		throw new InvalidParameterError(`"${text}" is not of the form name=value`);
	return [text.slice(0, equals), text.slice(equals + 1)];
}

function keyValue(text: string): Record<string, string> {
	const equals = text.indexOf("=");
	return equals < 0 ? { [text]: "" } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}

function splitMap(text: string): readonly [string, Record<string, string>] {
	const match = /^([^=]+)=([^=]+=.*)$/s.exec(text);
	if (match === null)
		throw new InvalidParameterError(`invalid value "${text}" for map option, should be root-key=key=value`);
	return [match[1] ?? "", keyValue(match[2] ?? "")];
}

function parseUlimit(text: string): UlimitValue {
	const [Name, limits] = splitPair(text);
	const match = /^(-?\d+)(?::(-?\d+))?$/.exec(limits);
	if (match === null) throw new InvalidParameterError(`invalid ulimit argument: ${text}`);
	const Soft = Number(match[1]);
	const Hard = match[2] === undefined ? Soft : Number(match[2]);
	if (Soft > Hard && Hard !== -1)
		throw new InvalidParameterError(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
	return { Name, Soft, Hard };
}

function parsePool(text: string): PoolValue {
	const parts = new Map(text.split(",").map((part) => splitPair(part.trim())));
	return checkPool(parts.get("base"), Number(parts.get("size")));
}

function checkPool(base: unknown, size: unknown): PoolValue {
	if (typeof base !== "string" || !/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(base))
		throw new InvalidParameterError(`invalid base pool: ${String(base)}`);
	if (typeof size !== "number" || !Number.isInteger(size) || size < Number(base.split("/")[1]) || size > 128)
		throw new InvalidParameterError(`invalid pool size: ${String(size)}`);
	return { base, size };
}

function readUlimits(value: unknown): Readonly<Record<string, UlimitValue>> {
	const ulimits: Record<string, UlimitValue> = {};
	for (const [name, item] of Object.entries(expect(value, isObject(value), "an object") as object)) {
		const soft: unknown = item?.Soft;
		const hard: unknown = item?.Hard ?? soft;
		if (typeof soft !== "number" || typeof hard !== "number")
			throw new InvalidParameterError(`ulimit ${name} must have the numbers Soft and Hard`);
		ulimits[name] = parseUlimit(`${name}=${soft}:${hard}`);
	}
	return ulimits;
}

function readPools(value: unknown): readonly PoolValue[] {
	const list = expect(value, Array.isArray(value) && value.every(isObject), "a list of objects");
	return (list as { base?: unknown; size?: unknown }[]).map(({ base, size }) => checkPool(base, size));
}

function readRuntimes(value: unknown): Readonly<Record<string, RuntimeValue>> {
	const runtimes: Record<string, RuntimeValue> = {};
	for (const [name, item] of Object.entries(expect(value, isObject(value), "an object") as object)) {
		const path: unknown = item?.path;
		const runtimeArgs: unknown = item?.runtimeArgs ?? [];
		if (item?.runtimeType !== undefined)
			throw new InvalidParameterError(`runtime ${name}: runtimeType is not supported, give the path of an OCI runtime`);
		if (typeof path !== "string" || path === "" || !isTextList(runtimeArgs))
			throw new InvalidParameterError(`runtime ${name} must have a path, and runtimeArgs must be a list of strings`);
		runtimes[name] = { path, runtimeArgs };
	}
	return runtimes;
}

function asList(value: OptionValue | undefined): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

function asObject(value: OptionValue | undefined): Readonly<Record<string, unknown>> {
	return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is readonly string[] {
	return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isTextMap(value: unknown): boolean {
	return isObject(value) && Object.values(value).every((item) => typeof item === "string");
}
