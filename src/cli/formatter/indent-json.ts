/**
 * JSON text with four blanks a level. It works on the text, not on parsed values: numbers past 2^53 and the order of keys that
 * look like numbers stay as they are.
 */
export function indentJson(text: string): string {
	let result = "";
	let depth = 0;
	const line = () => `\n${"    ".repeat(depth)}`;
	const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
	let previous = "";
	for (const [part] of text.matchAll(token)) {
		const isOpen = part === "{" || part === "[";
		const isClose = part === "}" || part === "]";
		if (isClose) depth--;
		const wasOpen = previous === "{" || previous === "[";
		if (isClose) result += wasOpen ? part : line() + part;
		else if (part === ",") result += part;
		else if (part === ":") result += ": ";
		else result += wasOpen || previous === "," ? line() + part : part;
		if (isOpen) depth++;
		previous = part;
	}
	return result;
}
