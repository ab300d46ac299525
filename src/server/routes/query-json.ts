import { InvalidParameterError } from "../../base/errors.ts";

const LIMIT_BYTES = 1 << 20;

/** A parameter that holds JSON: a list or an object, as `absent` is. @throws InvalidParameterError */
export function jsonOf<T>(name: string, text: string, absent: T): T {
	if (text === "" || text === "null") return absent;
	if (text.length > LIMIT_BYTES) throw new InvalidParameterError(`${name} is too large`);
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new InvalidParameterError(`error reading ${name}: invalid JSON`, { cause });
	}
	if (typeof value !== "object" || value === null || Array.isArray(value) !== Array.isArray(absent))
		throw new InvalidParameterError(`error reading ${name}: unexpected JSON`);
	return value as T;
}
