import { InvalidParameterError } from "../base/errors.ts";

/** Filters of list, prune and event requests: several values of one name are alternatives, several names must all match. */
export class Filters {
	readonly #values = new Map<string, Set<string>>();

	/** @throws InvalidParameterError for anything but `name=value` */
	static parse(texts: readonly string[]): Filters {
		const filters = new Filters();
		for (const text of texts) {
			if (text === "") continue;
			const equals = text.indexOf("=");
			if (equals < 0) throw new InvalidParameterError("invalid argument: expected name=value");
			filters.add(text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim());
		}
		return filters;
	}

	add(name: string, value: string): this {
		const values = this.#values.get(name);
		if (values === undefined) this.#values.set(name, new Set([value]));
		else values.add(value);
		return this;
	}

	has(name: string): boolean {
		return this.#values.has(name);
	}

	/** The JSON of the `filters` parameter; undefined when there is nothing to filter. */
	toQuery(): string | undefined {
		if (this.#values.size === 0) return undefined;
		const record: Record<string, Record<string, boolean>> = {};
		for (const [name, values] of this.#values)
			record[name] = Object.fromEntries([...values].map((value) => [value, true]));
		return JSON.stringify(record);
	}
}
