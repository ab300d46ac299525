import { type Filters, parseFilters } from "../api/engine/filters.ts";
import { InvalidParameterError } from "../base/errors.ts";

const FALSE_WORDS: ReadonlySet<string> = new Set(["", "0", "no", "false", "none"]);

/** The query string, read by Docker's rules. */
export class Query {
	#parameters: URLSearchParams | undefined;

	/** @param text without the question mark */
	constructor(private readonly raw: string) {}

	get #all(): URLSearchParams {
		this.#parameters ??= new URLSearchParams(this.raw);
		return this.#parameters;
	}

	has(name: string): boolean {
		return this.raw !== "" && this.#all.has(name);
	}

	/** Empty when absent. */
	text(name: string): string {
		return this.raw === "" ? "" : (this.#all.get(name) ?? "");
	}

	optionalText(name: string): string | undefined {
		return this.raw === "" ? undefined : (this.#all.get(name) ?? undefined);
	}

	list(name: string): string[] {
		return this.raw === "" ? [] : this.#all.getAll(name);
	}

	/** Anything but empty, `0`, `no`, `false` and `none` is true. */
	flag(name: string, absent = false): boolean {
		return this.has(name) ? !FALSE_WORDS.has(this.text(name).trim().toLowerCase()) : absent;
	}

	/** @throws InvalidParameterError for anything but a whole number; undefined when absent or empty */
	integer(name: string): number | undefined {
		const text = this.text(name);
		if (text === "") return undefined;
		const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
		if (Number.isNaN(value)) throw new InvalidParameterError(`invalid value "${text}" for "${name}": invalid syntax`);
		return value;
	}

	/** @throws InvalidParameterError */
	filters(): Filters {
		return parseFilters(this.optionalText("filters"));
	}
}
