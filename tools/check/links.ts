/** Relative links of a Markdown text that lead to no file, as `line: target`. Code blocks and spans are not searched. */
export function findBrokenLinks(markdown: string, exists: (target: string) => boolean): string[] {
	const broken: string[] = [];
	let inCode = false;
	for (const [index, line] of markdown.split("\n").entries()) {
		if (/^\s*(```|~~~)/.test(line)) inCode = !inCode;
		if (inCode) continue;
		for (const match of line.replace(/`[^`]*`/g, "").matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)/g)) {
			const target = (match[1] ?? "").replace(/#.*$/, "");
			if (target !== "" && !/^[a-z][a-z+.-]*:/.test(target) && !exists(target)) broken.push(`${index + 1}: ${target}`);
		}
	}
	return broken;
}
