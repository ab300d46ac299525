/** `RUN --mount=type=cache,target=/root/.cache`. */
import { EngineError, errorMessage } from "../../../base/errors.ts";
import { nearest } from "../../../base/nearest-word.ts";
import { parseBytes } from "../../../base/units.ts";
import { parseBoolean } from "../directives.ts";
import { DockerfileError } from "../dockerfile-error.ts";
import type { CacheSharing, Mount, MountFlag, MountType } from "../syntax.ts";

const TYPES: readonly MountType[] = ["bind", "cache", "tmpfs", "secret", "ssh"];
const SHARING: readonly CacheSharing[] = ["shared", "private", "locked"];
const HAS_OWNER: readonly MountType[] = ["cache", "secret", "ssh"];
const UINT32 = 2 ** 32;

/** Other spellings of a key. */
const ALIASES: Readonly<Record<string, string>> = {
	src: "source",
	dst: "target",
	destination: "target",
	ro: "readonly",
	rw: "readwrite",
};
const KEYS = [
	"type",
	"from",
	"source",
	"target",
	"readonly",
	"readwrite",
	"id",
	"sharing",
	"required",
	"size",
	"mode",
	"uid",
	"gid",
	"env",
] as const;
const WITHOUT_VALUE: readonly string[] = ["readonly", "readwrite", "required"] satisfies readonly Key[];
type Key = (typeof KEYS)[number];

/** What can be known before variables are. @throws DockerfileError without a place */
export function parseMountFlag(text: string): MountFlag {
	let from: string | undefined;
	for (const field of csvFields(text)) {
		const [key, value] = keyAndValue(field);
		if (key.toLowerCase() !== "from" || value === undefined) continue;
		const dollar = value.indexOf("$");
		if (dollar >= 0 && dollar < value.length - 1)
			throw problem("from= takes no variables: name a stage with FROM … AS, where global ARGs can be used");
		from = value;
	}
	return { text, from };
}

/**
 * The mount with its variables put in.
 * @param expand puts the variables of the stage into a value
 * @throws DockerfileError without a place
 */
export function expandMount(flag: MountFlag, expand: (value: string) => string): Mount {
	const values = new Map<Key, string>();
	for (const field of csvFields(flag.text)) {
		const [word, value] = keyAndValue(field);
		const key = knownKey(word, field);
		if (value === undefined && !WITHOUT_VALUE.includes(key)) throw problem(`"${field}" must be a key=value pair`);
		if (key === "readonly") values.delete("readwrite");
		if (key === "readwrite") values.delete("readonly");
		values.set(key, value === undefined ? "true" : expand(value));
	}
	const mount = mountOf(values);
	checkMount(mount, values);
	return mount;
}

function mountOf(values: ReadonlyMap<Key, string>): Mount {
	const type = oneOf("mount type", values.get("type") ?? "bind", TYPES);
	const sharing = values.get("sharing");
	return {
		type,
		from: nonEmpty(values.get("from")),
		source: nonEmpty(values.get("source")),
		target: nonEmpty(values.get("target")),
		readOnly: isReadOnly(values, type),
		id: nonEmpty(values.get("id")),
		sharing: sharing === undefined ? undefined : oneOf("sharing value", sharing, SHARING),
		required: flagValue(values, "required") ?? false,
		env: values.get("env"),
		mode: numberOf(values, "mode", 8),
		uid: numberOf(values, "uid", 10),
		gid: numberOf(values, "gid", 10),
		sizeBytes: sizeOf(values.get("size")),
	};
}

function checkMount({ type, from, source, target, id }: Mount, values: ReadonlyMap<Key, string>): void {
	const refuse = (key: Key) => problem(`${key}= does not belong to a mount of type ${type}`);
	if (values.has("size") && type !== "tmpfs") throw refuse("size");
	if (values.has("required") && type !== "secret" && type !== "ssh") throw refuse("required");
	for (const key of ["mode", "uid", "gid"] as const)
		if (values.has(key) && !HAS_OWNER.includes(type)) throw refuse(key);
	if (values.has("sharing") && type !== "cache") throw refuse("sharing");
	if (type !== "secret") return;
	if (from !== undefined) throw refuse("from");
	if (source === undefined && target === undefined && id === undefined)
		throw problem("a secret mount needs an id, a source or a target");
	if (source !== undefined && id !== undefined) throw problem("a secret mount takes an id or a source, not both");
}

/** Caches and tmpfs can be written to, everything else not. */
function isReadOnly(values: ReadonlyMap<Key, string>, type: MountType): boolean {
	const writable = flagValue(values, "readwrite");
	return flagValue(values, "readonly") ?? (writable === undefined ? type !== "cache" && type !== "tmpfs" : !writable);
}

function flagValue(values: ReadonlyMap<Key, string>, key: Key): boolean | undefined {
	const text = values.get(key);
	if (text === undefined) return undefined;
	const value = parseBoolean(text);
	if (value === undefined) throw problem(`invalid value for ${key}: ${text}`);
	return value;
}

function numberOf(values: ReadonlyMap<Key, string>, key: Key, radix: 8 | 10): number | undefined {
	const text = values.get(key);
	if (text === undefined) return undefined;
	const number = (radix === 8 ? /^[0-7]+$/ : /^\d+$/).test(text) ? Number.parseInt(text, radix) : Number.NaN;
	if (!(number < UINT32)) throw problem(`invalid value for ${key}: ${text}`);
	return number;
}

function sizeOf(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	try {
		return parseBytes(text);
	} catch (error) {
		if (error instanceof EngineError) throw problem(`invalid value for size: ${errorMessage(error)}`);
		throw error;
	}
}

function oneOf<Value extends string>(what: string, text: string, known: readonly Value[]): Value {
	const value = known.find((candidate) => candidate === text.toLowerCase());
	if (value !== undefined) return value;
	throw new DockerfileError({ reason: `unsupported ${what} "${text}"`, suggestion: nearest(text, known) });
}

function knownKey(word: string, field: string): Key {
	const lower = word.toLowerCase();
	const name = Object.hasOwn(ALIASES, lower) ? (ALIASES[lower] ?? lower) : lower;
	const key = KEYS.find((candidate) => candidate === name);
	if (key !== undefined) return key;
	const suggestion = nearest(word, [...KEYS, ...Object.keys(ALIASES)]);
	throw new DockerfileError({ reason: `unexpected key "${word}" in "${field}"`, suggestion });
}

function keyAndValue(field: string): [key: string, value: string | undefined] {
	const at = field.indexOf("=");
	return at < 0 ? [field, undefined] : [field.slice(0, at), field.slice(at + 1)];
}

function nonEmpty(value: string | undefined): string | undefined {
	return value === "" ? undefined : value;
}

/** The fields of one line of CSV (RFC 4180). */
function csvFields(text: string): string[] {
	const fields: string[] = [];
	for (let at = 0; at <= text.length; ) {
		if (text[at] === '"') {
			const { value, end } = quotedField(text, at);
			fields.push(value);
			at = end;
		} else {
			const comma = text.indexOf(",", at);
			const field = text.slice(at, comma < 0 ? undefined : comma);
			if (field.includes('"')) throw problem(`a quote in the middle of "${field}"`);
			fields.push(field);
			at += field.length;
		}
		at++;
	}
	return fields;
}

function quotedField(text: string, start: number): { readonly value: string; readonly end: number } {
	let value = "";
	for (let at = start + 1; ; ) {
		const quote = text.indexOf('"', at);
		if (quote < 0) throw problem(`a quote in "${text}" has no partner`);
		value += text.slice(at, quote);
		if (text[quote + 1] !== '"') {
			if (quote + 1 < text.length && text[quote + 1] !== ",") throw problem(`text behind a quoted field of "${text}"`);
			return { value, end: quote + 1 };
		}
		value += '"';
		at = quote + 2;
	}
}

function problem(reason: string): DockerfileError {
	return new DockerfileError({ reason: `invalid mount: ${reason}` });
}
