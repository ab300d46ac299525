import { rowJson } from "./row-json.ts";

/**
 * Values as templates see them: what JSON has, rows of tables, and functions for rows' methods. Printed and compared as Go does.
 */
export interface RowView {
	/** undefined when there is no such field. */
	field(name: string): unknown;
	/** All fields, for `{{json .}}`. */
	toJSON(): Record<string, unknown>;
}

export function isRowView(value: unknown): value is RowView {
	return typeof value === "object" && value !== null && "field" in value && typeof value.field === "function";
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value) && !isRowView(value);
}

/** Go's truth: neither zero nor empty. */
export function isTrue(value: unknown): boolean {
	if (Array.isArray(value)) return value.length > 0;
	if (isRecord(value)) return Object.keys(value).length > 0;
	return Boolean(value);
}

/** `%v` */
export function printValue(value: unknown, isNested = false): string {
	if (value === undefined) return "<no value>";
	if (value === null) return isNested ? "<nil>" : "<no value>";
	if (Array.isArray(value)) return `[${value.map((item) => printValue(item, true)).join(" ")}]`;
	if (isRowView(value)) return printValue(value.toJSON(), true);
	if (isRecord(value)) {
		const entries = Object.keys(value).sort();
		return `map[${entries.map((key) => `${key}:${printValue(value[key], true)}`).join(" ")}]`;
	}
	if (typeof value === "number") return printNumber(value);
	return String(value);
}

/** Whole numbers are Go integers; fractions are float64 in their shortest form. */
function printNumber(value: number): string {
	if (Number.isInteger(value)) return BigInt(value).toString();
	const magnitude = Math.abs(value);
	if (magnitude >= 1e-4 && magnitude < 1e21) return String(value);
	return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** JSON as Go's encoder writes it for formats: sorted keys come from the source, no HTML escapes. */
export function toJson(value: unknown): string {
	if (isRowView(value)) return rowJson(value);
	return JSON.stringify(value ?? null, (_key, item) => (typeof item === "bigint" ? Number(item) : item));
}

/** The type's name in error messages. */
export function typeName(value: unknown): string {
	if (value === null || value === undefined) return "nil";
	if (Array.isArray(value)) return "[]interface {}";
	if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
	if (typeof value === "boolean") return "bool";
	if (typeof value === "string") return "string";
	return "map[string]interface {}";
}
