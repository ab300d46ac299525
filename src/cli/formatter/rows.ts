import { InvalidParameterError } from "../../base/errors.ts";
import type { Output } from "../output.ts";
import type { RowView } from "./go-values.ts";
import { rowJson } from "./row-json.ts";
import { layOutTable } from "./table.ts";

/** One field of a list's rows: the title of its column and its value. A value may be a function, called with a template's arguments. */
export interface Field<T> {
	header: string;
	value(item: T): unknown;
	/** Left out of `json`, as functions and compound fields are. */
	isHidden?: boolean;
	/** On a narrow terminal the plain table may cut the column to so many characters. */
	leastWidth?: number | undefined;
}

export type Fields<T> = Readonly<Record<string, Field<T>>>;

export interface RowOptions<T> {
	fields: Fields<T>;
	/** Names of the fields of the plain table. */
	columns: readonly string[];
	/** `--format`; empty for the plain table. */
	format: string;
}

/**
 * Writes a list: as the plain table, as lines of JSON, by a template, or as a table by a template.
 * @throws InvalidParameterError for a template that can't be parsed or executed
 */
export async function writeRows<T>(output: Output, items: readonly T[], options: RowOptions<T>): Promise<void> {
	const { fields, columns } = options;
	const isGiven = options.format !== "";
	const format = options.format.trim().replaceAll("\\t", "\t").replaceAll("\\n", "\n");
	if (!isGiven || format === "table") {
		const header = columns.map((name) => fields[name]?.header ?? name);
		const lines = items.map((item) => columns.map((name) => String(fields[name]?.value(item) ?? "")));
		output.write(await layOutFor(output, [header, ...lines], () => columns.map((name) => fields[name]?.leastWidth)));
		return;
	}
	if (format === "json") {
		for (const item of items) output.line(rowJson(new Row(fields, item)));
		return;
	}
	const { Template } = await import("./template.ts");
	const { HEADER_FUNCTIONS } = await import("./template-functions.ts");
	const isTable = /^table[ \t]/.test(format);
	const source = isTable ? format.slice("table".length).trim() : format;
	try {
		const template = new Template(source);
		const texts = items.map((item) => template.execute(new Row(fields, item)));
		if (!isTable) {
			for (const text of texts) output.line(text);
			return;
		}
		const header = new Template(source, { functions: HEADER_FUNCTIONS }).execute(new HeaderRow(fields));
		output.write(layOutTable([header, ...texts].flatMap((text) => text.split("\n")).map((line) => line.split("\t"))));
	} catch (error) {
		throw templateFailure(error);
	}
}

/** A terminal gets lines no longer than it is wide, where that can be; whoever else reads gets all there is. */
async function layOutFor(
	output: Output,
	lines: readonly (readonly string[])[],
	leastWidths: () => (number | undefined)[],
): Promise<string> {
	const { terminalSize } = await import("../terminal.ts");
	const size = terminalSize(output.fd);
	if (size === undefined) return layOutTable(lines);
	return (await import("./narrow-table.ts")).layOutWithin(lines, leastWidths(), size.columns);
}

/** Docker's words for a template that does not work. */
function templateFailure(error: unknown): unknown {
	if (!(error instanceof Error) || !("phase" in error)) return error;
	return new InvalidParameterError(
		`failed to ${error.phase === "parse" ? "parse" : "execute"} template: ${error.message}`,
	);
}

/** Rows as values of another one's field. */
export function rowViews<T>(fields: Fields<T>, items: readonly T[]): RowView[] {
	return items.map((item) => new Row(fields, item));
}

/** One item as templates and JSON see it. */
class Row<T> implements RowView {
	constructor(
		private readonly fields: Fields<T>,
		private readonly item: T,
	) {}

	field(name: string): unknown {
		return this.fields[name]?.value(this.item);
	}

	toJSON(): Record<string, unknown> {
		const names = Object.keys(this.fields).filter((name) => this.fields[name]?.isHidden !== true);
		return Object.fromEntries(names.sort().map((name) => [name, this.field(name)]));
	}
}

class HeaderRow<T> implements RowView {
	constructor(private readonly fields: Fields<T>) {}

	field(name: string): unknown {
		const field = this.fields[name];
		if (field === undefined) return undefined;
		// A label's column is called after the label.
		if (name === "Label") return (label: unknown) => String(label).split(".").pop()?.replace(/[-_]/g, " ") ?? "";
		return field.header;
	}

	toJSON(): Record<string, unknown> {
		return Object.fromEntries(Object.keys(this.fields).map((name) => [name, this.fields[name]?.header]));
	}
}

/** `a=b,c=d`, sorted by name. */
export function joinLabels(labels: Readonly<Record<string, string>> | null | undefined): string {
	return Object.entries(labels ?? {})
		.map(([name, value]) => `${name}=${value}`)
		.sort()
		.join(",");
}
