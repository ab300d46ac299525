import { printValue, toJson, typeName } from "./go-values.ts";

const VERB = /%(?:%|([-+# 0]*)(\d+|\*)?(?:\.(\d+))?([a-zA-Z]))/g;

/** Go's Sprintf for the verbs formats are written with: v s q d t x X c b o e f g T. */
export function sprintf(format: string, values: readonly unknown[]): string {
	let next = 0;
	const result = format.replace(
		VERB,
		(match, flags: string | undefined, width: string | undefined, precision, verb) => {
			if (match === "%%") return "%";
			const size = width === "*" ? String(values[next++]) : width;
			if (next >= values.length) return `%!${verb}(MISSING)`;
			const value = values[next++];
			return pad(formatVerb(verb, value, { flags: flags ?? "", precision }), flags ?? "", size);
		},
	);
	if (next >= values.length) return result;
	const extra = values.slice(next).map((value) => `${typeName(value)}=${printValue(value, true)}`);
	return `${result}%!(EXTRA ${extra.join(", ")})`;
}

interface VerbOptions {
	flags: string;
	precision: string | undefined;
}

function formatVerb(verb: string, value: unknown, { flags, precision }: VerbOptions): string {
	const bad = () => `%!${verb}(${typeName(value)}=${printValue(value, true)})`;
	const plus = (text: string) => (flags.includes("+") && !text.startsWith("-") ? `+${text}` : text);
	switch (verb) {
		case "v":
			return flags.includes("#") && typeof value !== "number" ? toJson(value) : printValue(value, true);
		case "s": {
			const text = printValue(value, true);
			return precision === undefined ? text : text.slice(0, Number(precision));
		}
		case "q":
			return JSON.stringify(printValue(value, true));
		case "t":
			return typeof value === "boolean" ? String(value) : bad();
		case "d":
			return typeof value === "number" && Number.isInteger(value) ? plus(printValue(value)) : bad();
		case "c":
			return typeof value === "number" ? String.fromCodePoint(value) : bad();
		case "b":
			return typeof value === "number" ? value.toString(2) : bad();
		case "o":
			return typeof value === "number" ? value.toString(8) : bad();
		case "x":
		case "X": {
			const text =
				typeof value === "number" ? value.toString(16) : Buffer.from(printValue(value, true)).toString("hex");
			return verb === "X" ? text.toUpperCase() : text;
		}
		case "e":
			return typeof value === "number" ? plus(value.toExponential(Number(precision ?? 6))) : bad();
		case "f":
			return typeof value === "number" ? plus(value.toFixed(Number(precision ?? 6))) : bad();
		case "g":
			return typeof value === "number"
				? plus(precision === undefined ? String(value) : String(Number(value.toPrecision(Number(precision)))))
				: bad();
		case "T":
			return typeName(value);
		default:
			return bad();
	}
}

function pad(text: string, flags: string, width: string | undefined): string {
	if (width === undefined) return text;
	const size = Number(width);
	if (flags.includes("-")) return text.padEnd(size);
	if (!flags.includes("0")) return text.padStart(size);
	const sign = /^[+-]/.exec(text)?.[0] ?? "";
	return sign + text.slice(sign.length).padStart(size - sign.length, "0");
}
