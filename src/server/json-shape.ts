/**
 * Checks a parsed JSON body against its shape and returns it in canonical spelling: field names match without regard to
 * case, unknown fields are dropped and `null` means absent, all as the reference's decoder has it.
 */
import { InvalidParameterError } from "../base/errors.ts";

export type Shape =
	| "string"
	| "boolean"
	| "integer"
	| "any"
	/** A list of strings, or one string for a list of one (`Cmd`, `Entrypoint`). */
	| "command"
	| { readonly list: Shape }
	/** Any keys; values may be null. */
	| { readonly map: Shape }
	| { readonly fields: Readonly<Record<string, Shape>> };

/** The fields of `T`, every one of them: a field added to the wire type and forgotten here does not compile. */
export type FieldShapes<T> = Readonly<Record<keyof Required<T>, Shape>>;

const SHAPE_NAMES = { string: "a string", boolean: "a boolean", integer: "an integer" } as const;

/** @throws InvalidParameterError naming the field */
export function decodeShape(value: unknown, shape: Shape, path = ""): unknown {
	if (value === null || value === undefined) return undefined;
	if (typeof shape === "string") return decodeScalar(value, shape, path);
	if ("list" in shape) {
		if (!Array.isArray(value)) throw mismatch(value, "a list", path);
		return value.map((item, index) => decodeShape(item, shape.list, `${path}[${index}]`) ?? zero(shape.list));
	}
	if (!isObject(value)) throw mismatch(value, "an object", path);
	if ("map" in shape) {
		const map: Record<string, unknown> = {};
		for (const [key, item] of Object.entries(value))
			defineKey(map, key, decodeShape(item, shape.map, join(path, key)) ?? (shape.map === "string" ? "" : null));
		return map;
	}
	return decodeFields(value, shape.fields, path);
}

function decodeScalar(
	value: unknown,
	shape: "string" | "boolean" | "integer" | "any" | "command",
	path: string,
): unknown {
	if (shape === "any") return value;
	if (shape === "command") return typeof value === "string" ? [value] : decodeShape(value, { list: "string" }, path);
	const matches = shape === "integer" ? Number.isInteger(value) : typeof value === shape;
	if (!matches) throw mismatch(value, SHAPE_NAMES[shape], path);
	return value;
}

function decodeFields(value: object, fields: Readonly<Record<string, Shape>>, path: string): Record<string, unknown> {
	const result: Record<string, unknown> = {};
	for (const [key, item] of Object.entries(value)) {
		const name = fieldName(fields, key);
		const shape = name === undefined ? undefined : fields[name];
		if (name === undefined || shape === undefined) continue;
		const decoded = decodeShape(item, shape, join(path, name));
		if (decoded !== undefined) result[name] = decoded;
	}
	return result;
}

function fieldName(fields: Readonly<Record<string, Shape>>, key: string): string | undefined {
	if (Object.hasOwn(fields, key)) return key;
	const lower = key.toLowerCase();
	return Object.keys(fields).find((name) => name.toLowerCase() === lower);
}

/** A list's `null` is its element's zero value. */
function zero(shape: Shape): unknown {
	return shape === "string" ? "" : shape === "boolean" ? false : shape === "integer" ? 0 : {};
}

/** `__proto__` as a label must become a label, not the object's prototype. */
function defineKey(target: Record<string, unknown>, key: string, value: unknown): void {
	Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function isObject(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(path: string, name: string): string {
	return path === "" ? name : `${path}.${name}`;
}

function mismatch(value: unknown, wanted: string, path: string): InvalidParameterError {
	const given = Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
	const place = path === "" ? "the body" : `field ${path}`;
	const shown = typeof value === "number" && wanted === "an integer" ? `number ${value}` : given;
	return new InvalidParameterError(`invalid JSON: ${place} is ${shown}, but must be ${wanted}`);
}
