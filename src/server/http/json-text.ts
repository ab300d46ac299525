export type JsonValue = string | number | boolean | null | bigint | undefined | object;

/** ES2026, in the runtime before it is in the type library. */
const rawJson = JSON as unknown as { rawJSON(text: string): unknown };

/** JSON with integers beyond 2^53 (`timeNano`) written out in full. */
export function jsonText(value: JsonValue): string {
	try {
		return JSON.stringify(value);
	} catch (error) {
		// Bigints are rare (events alone), and a replacer makes the common case several times slower.
		if (!(error instanceof TypeError)) throw error;
		return JSON.stringify(value, (_key, item: unknown) =>
			typeof item === "bigint" ? rawJson.rawJSON(String(item)) : item,
		);
	}
}
