import { isRecord, isTrue, printValue, toJson, typeName } from "./go-values.ts";
import { sprintf } from "./sprintf.ts";

/** The functions of Go's templates and those docker adds. They throw plain errors; the evaluator says where. `and` and `or` are the evaluator's. */
export type TemplateFunction = (...values: unknown[]) => unknown;

export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
	and: () => undefined,
	or: () => undefined,
	not: (value) => !isTrue(value),
	len: (value) => length(value),
	index: (value, ...keys) => keys.reduce((item, key) => at(item, key), value),
	slice: (value, from = 0, to) => slice(value, from, to),
	print: (...values) => printAll(values),
	println: (...values) => `${values.map((value) => printValue(value, true)).join(" ")}\n`,
	printf: (format, ...values) => sprintf(text(format, "printf"), values),
	eq: (first, ...others) => {
		if (others.length === 0) throw new Error("missing argument for comparison");
		return others.some((other) => isEqual(first, other));
	},
	ne: (a, b) => !isEqual(a, b),
	lt: (a, b) => compare(a, b) < 0,
	le: (a, b) => compare(a, b) <= 0,
	gt: (a, b) => compare(a, b) > 0,
	ge: (a, b) => compare(a, b) >= 0,
	html: (...values) => escapeHtml(printAll(values)),
	js: (...values) => printAll(values).replace(/[\\'"<>&=\n\r\t]/g, escapeScript),
	urlquery: (...values) => encodeURIComponent(printAll(values)).replaceAll("%20", "+"),
	call: () => {
		throw new Error("non-function of type string");
	},
	json: (value) => toJson(value),
	split: (value, separator) => text(value, "split").split(text(separator, "split")),
	join: (values, separator) =>
		list(values)
			.map((value) => printValue(value))
			.join(text(separator, "join")),
	title: (value) =>
		text(value, "title").replace(
			/(^|[^\p{L}\p{N}_'])(\p{L})/gu,
			(_match, before, letter) => before + letter.toUpperCase(),
		),
	lower: (value) => text(value, "lower").toLowerCase(),
	upper: (value) => text(value, "upper").toUpperCase(),
	pad: (value, before, after) =>
		value === "" ? "" : " ".repeat(Number(before)) + text(value, "pad") + " ".repeat(Number(after)),
	truncate: (value, limit) => text(value, "truncate").slice(0, Number(limit)),
};

/** In the header line of a table the functions that would spoil a title leave it alone. */
export const HEADER_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
	json: (value) => value,
	title: (value) => value,
	lower: (value) => value,
	upper: (value) => value,
	truncate: (value) => value,
	join: (value) => value,
	split: (value) => value,
};

function text(value: unknown, name: string): string {
	if (typeof value === "string") return value;
	throw new Error(`wrong type for value; expected string; got ${typeName(value)} in ${name}`);
}

function list(value: unknown): unknown[] {
	if (value === null || value === undefined) return [];
	if (Array.isArray(value)) return value;
	throw new Error(`wrong type for value; expected []string; got ${typeName(value)}`);
}

function length(value: unknown): number {
	if (typeof value === "string") return Buffer.byteLength(value);
	if (Array.isArray(value)) return value.length;
	if (isRecord(value)) return Object.keys(value).length;
	if (value === null) return 0;
	throw new Error(`len of type ${typeName(value)}`);
}

function at(value: unknown, key: unknown): unknown {
	if (value === undefined || value === null) {
		// A missing map has no entries; a missing list has no element.
		if (typeof key === "string") return "";
		throw new Error("index of nil pointer");
	}
	if (isRecord(value)) return value[String(key)] ?? "";
	if (typeof key !== "number") throw new Error(`cannot index slice/array with type ${typeName(key)}`);
	if (typeof value === "string") {
		const bytes = Buffer.from(value);
		if (key < 0 || key >= bytes.length) throw new Error(`index out of range: ${key}`);
		return bytes[key];
	}
	if (!Array.isArray(value)) throw new Error(`can't index item of type ${typeName(value)}`);
	if (key < 0 || key >= value.length) throw new Error(`index out of range: ${key}`);
	return value[key];
}

function slice(value: unknown, from: unknown, to: unknown): unknown {
	const isText = typeof value === "string";
	if (!isText && !Array.isArray(value)) throw new Error(`can't slice item of type ${typeName(value)}`);
	const start = Number(from);
	const end = to === undefined ? value.length : Number(to);
	for (const limit of [start, end])
		if (limit < 0 || limit > value.length) throw new Error(`index out of range: ${limit}`);
	if (start > end) throw new Error(`invalid slice index: ${start} > ${end}`);
	return value.slice(start, end);
}

/** Go's Sprint: blanks only between operands when neither is a string. */
function printAll(values: readonly unknown[]): string {
	let result = "";
	for (const [index, value] of values.entries()) {
		if (index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string") result += " ";
		result += printValue(value, true);
	}
	return result;
}

function isEqual(a: unknown, b: unknown): boolean {
	if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === (b ?? null);
	checkComparable(a, b);
	return a === b;
}

function compare(a: unknown, b: unknown): number {
	checkComparable(a, b);
	if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
	if (typeof a === "number" && typeof b === "number") return a - b;
	throw new Error("invalid type for comparison");
}

function checkComparable(a: unknown, b: unknown): void {
	if (typeof a === "object" || typeof b === "object") throw new Error("non-comparable type");
	if (typeof a !== typeof b) throw new Error("incompatible types for comparison");
}

const HTML: Readonly<Record<string, string>> = { "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&#34;", "'": "&#39;" };

function escapeHtml(value: string): string {
	return value.replace(/[<>&"']/g, (character) => HTML[character] ?? character);
}

function escapeScript(character: string): string {
	if (character === "\\" || character === "'" || character === '"') return `\\${character}`;
	return `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}
