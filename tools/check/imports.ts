import { blankLiterals } from "./source-text.ts";

/** One import or re-export of a file, of types too. */
export interface ImportEdge {
	readonly specifier: string;
	/** Line in the file, from 1. */
	readonly line: number;
	/** Nothing of it remains at run time. */
	readonly typeOnly: boolean;
}

const STATIC_IMPORT = /(?:^|[;\n}])\s*(import|export)\s+(type\s)?(?:[\w$*{][^;"']*?\sfrom\s*)?(["'])([^"'\n]+)\3/g;
const DYNAMIC_IMPORT = /(?<![\w$.])import\(\s*(["'])([^"'\n]+)\1/g;

/** Every static import, re-export, `import()` and `import("…")` type of a TypeScript source, in order. */
export function findImports(source: string): ImportEdge[] {
	// Specifiers are strings, so strings stay; that what looks like an import is code shows in the text without strings.
	const text = blankLiterals(source, { strings: true });
	const code = blankLiterals(source);
	const edges: (ImportEdge & { offset: number })[] = [];
	const add = (offset: number, specifier: string, typeOnly: boolean) =>
		edges.push({ specifier, typeOnly, line: source.slice(0, offset).split("\n").length, offset });
	for (const match of text.matchAll(STATIC_IMPORT)) {
		const keyword = match[1] ?? "";
		const offset = match.index + match[0].indexOf(keyword);
		if (code.startsWith(keyword, offset)) add(offset, match[4] ?? "", match[2] !== undefined);
	}
	for (const match of text.matchAll(DYNAMIC_IMPORT))
		if (code.startsWith("import(", match.index)) add(match.index, match[2] ?? "", false);
	return edges.sort((a, b) => a.offset - b.offset).map(({ offset: _, ...edge }) => edge);
}
