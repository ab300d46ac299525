import { splitCommaFields } from "../container/comma-fields.ts";

/** `type=local,dest=out` as an ordered map; keys in lower case. @throws Error for a field without `=` */
export function parseKeyValues(text: string): Map<string, string> {
	const values = new Map<string, string>();
	for (const field of splitCommaFields(text)) {
		const equals = field.indexOf("=");
		if (equals < 0) throw new Error(`invalid field '${field}': it must be key=value`);
		values.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
	}
	return values;
}

/** A boolean as Go reads it. @throws Error */
export function parseBoolean(text: string, what: string): boolean {
	if (/^(1|t|true|TRUE|True|T)$/.test(text)) return true;
	if (/^(0|f|false|FALSE|False|F)$/.test(text)) return false;
	throw new Error(`invalid value ${JSON.stringify(text)} of ${what}: true or false`);
}
