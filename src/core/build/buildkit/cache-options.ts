/** Where cache comes from and goes to, as BuildKit's clients say it. */
import { InvalidParameterError, NotImplementedError } from "../../../base/errors.ts";
import type { CacheEndpoint } from "../request.ts";

/** @param json a list of `{"Type": …, "Attrs": {…}}`; empty: none. @param references of registries, joined by commas */
export function cacheImports(json: string, references: string): CacheEndpoint[] {
	const found: CacheEndpoint[] = [];
	for (const entry of json === "" ? [] : parseEntries(json)) {
		const { Type: type, Attrs: attributes } = entry;
		if (type !== "registry" && type !== "local") throw unknownCache("importer", type);
		found.push({ type, attributes });
	}
	for (const ref of references.split(",")) if (ref !== "") found.push({ type: "registry", attributes: { ref } });
	return found;
}

/** @throws NotImplementedError */
export function cacheExport(type: string, attributes: ReadonlyMap<string, string>): CacheEndpoint {
	if (type !== "registry" && type !== "local" && type !== "inline") throw unknownCache("exporter", type);
	return { type, attributes: Object.fromEntries(attributes) };
}

function parseEntries(json: string): { Type: string; Attrs: Record<string, string> }[] {
	const malformed = () => new InvalidParameterError(`failed to unmarshal cache-imports (${JSON.stringify(json)})`);
	let value: unknown;
	try {
		value = JSON.parse(json);
	} catch {
		throw malformed();
	}
	if (value === null) return [];
	if (!Array.isArray(value)) throw malformed();
	return value.map((entry) => {
		const { Type, Attrs = {} } = (entry ?? {}) as { Type?: unknown; Attrs?: unknown };
		if (typeof Type !== "string" || typeof Attrs !== "object" || Attrs === null) throw malformed();
		const attributes = Object.entries(Attrs).map(([key, text]) => [key, String(text)]);
		return { Type, Attrs: Object.fromEntries(attributes) };
	});
}

function unknownCache(what: string, type: string): NotImplementedError {
	return new NotImplementedError(
		`unknown cache ${what}: ${JSON.stringify(type)}: registry, local and inline are there`,
	);
}
