import { SystemError } from "../base/errors.ts";

/**
 * The JSON values of a stream, one after the other, whatever stands between them (newlines, RFC 7464 record separators, nothing).
 * `revive` sees the text of each value before it is parsed.
 */
export async function* jsonLines<T>(
	source: AsyncIterable<Uint8Array>,
	revive: (text: string) => string = (text) => text,
): AsyncGenerator<T> {
	const decoder = new TextDecoder();
	let buffer = "";
	for await (const bytes of source) {
		buffer += decoder.decode(bytes, { stream: true });
		const lines = buffer.split("\n");
		buffer = lines.pop() ?? "";
		for (const line of lines) {
			const text = line.replaceAll("\x1e", "").trim();
			if (text !== "") yield parse<T>(revive(text));
		}
		// Some daemons end a value without a newline: what parses as a whole is a whole value.
		const whole = tryParse<T>(revive(buffer.replaceAll("\x1e", "").trim()));
		if (whole !== undefined) {
			buffer = "";
			yield whole;
		}
	}
	const rest = buffer.replaceAll("\x1e", "").trim();
	if (rest !== "") yield parse<T>(revive(rest));
}

function parse<T>(text: string): T {
	try {
		return JSON.parse(text) as T;
	} catch (cause) {
		throw new SystemError("malformed JSON in the daemon's stream", { cause });
	}
}

function tryParse<T>(text: string): T | undefined {
	if (!text.endsWith("}")) return undefined;
	try {
		return JSON.parse(text) as T;
	} catch {
		return undefined; // not complete yet
	}
}
