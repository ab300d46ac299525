const ESCAPES: Readonly<Record<string, string>> = {
	"<": "\\u003c",
	">": "\\u003e",
	"&": "\\u0026",
	"\u2028": "\\u2028",
	"\u2029": "\\u2029",
};

/** A list's row as JSON, with the characters escaped that Go's encoder escapes there (though not in single fields). */
export function rowJson(row: { toJSON(): Record<string, unknown> }): string {
	return JSON.stringify(row).replace(/[<>&\u2028\u2029]/g, (character) => ESCAPES[character] ?? character);
}
