/**
 * A view of a TypeScript source in which comments, and the insides of string, template and regular expression literals, are
 * blanks of the same length. Enough to find identifiers and import clauses without a parser; offsets stay those of the source.
 */
export function blankLiterals(source: string, keep: { readonly strings?: boolean } = {}): string {
	const out = source.split("");
	const blank = (from: number, to: number) => {
		for (let index = from; index < to; index++) if (out[index] !== "\n") out[index] = " ";
	};
	/** Depth of braces at each `${` we are inside of. */
	const templates: number[] = [];
	let depth = 0;
	let lastCode = "";
	let index = 0;
	while (index < source.length) {
		const char = source[index] ?? "";
		const next = source[index + 1];
		let end = index + 1;
		if (char === "/" && next === "/") {
			end = endOf(source, "\n", index);
			blank(index, end);
		} else if (char === "/" && next === "*") {
			end = endOf(source, "*/", index + 2) + 2;
			blank(index, end);
		} else if (char === '"' || char === "'") {
			end = endOfQuoted(source, index, char);
			if (keep.strings !== true) blank(index + 1, end - 1);
			lastCode = char;
		} else if (char === "/" && startsRegularExpression(source.slice(0, index), lastCode)) {
			end = endOfRegularExpression(source, index);
			blank(index + 1, end);
			lastCode = "/";
		} else if (char === "`" || (char === "}" && templates.at(-1) === depth)) {
			if (char === "}") templates.pop();
			end = endOfTemplatePart(source, index + 1);
			blank(index + 1, end);
			if (source[end - 1] === "{") templates.push(depth);
			lastCode = "`";
		} else {
			if (char === "{") depth++;
			if (char === "}") depth--;
			if (char.trim() !== "") lastCode = char;
		}
		index = end;
	}
	return out.join("");
}

function endOf(source: string, mark: string, from: number): number {
	const found = source.indexOf(mark, from);
	return found === -1 ? source.length : found;
}

function endOfQuoted(source: string, start: number, quote: string): number {
	let index = start + 1;
	while (index < source.length && source[index] !== quote && source[index] !== "\n")
		index += source[index] === "\\" ? 2 : 1;
	return Math.min(index + 1, source.length);
}

/** Up to and including the closing backtick or the `${` that begins an expression. */
function endOfTemplatePart(source: string, start: number): number {
	let index = start;
	while (index < source.length) {
		if (source[index] === "\\") index += 2;
		else if (source[index] === "`") return index + 1;
		else if (source[index] === "$" && source[index + 1] === "{") return index + 2;
		else index++;
	}
	return source.length;
}

/** A slash begins a regular expression unless a value ends right before it. */
function startsRegularExpression(before: string, lastCode: string): boolean {
	if (/(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|await|yield)\s*$/.test(before.slice(-16))) return true;
	return lastCode === "" || !/[\w$)\]}"'`/]/.test(lastCode);
}

function endOfRegularExpression(source: string, start: number): number {
	let inClass = false;
	for (let index = start + 1; index < source.length; index++) {
		const char = source[index];
		if (char === "\\") index++;
		else if (char === "[") inClass = true;
		else if (char === "]") inClass = false;
		else if ((char === "/" && !inClass) || char === "\n") return index;
	}
	return source.length;
}
