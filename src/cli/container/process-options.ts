import { readFileSync } from "node:fs";
import { errnoCode } from "../../base/errors.ts";
import type { Environment } from "../settings.ts";

/** Environment and labels from options and files. */

/**
 * The variables of `--env-file` files, then those of `-e`. A bare name takes the client's own value; where there is none, a
 * file's is left out, while an option's goes on as it is and takes the image's variable away.
 */
export function readEnvironment(
	files: readonly string[],
	texts: readonly string[],
	environment: Environment,
): string[] {
	const resolve = (line: string) => {
		const value = line.includes("=") ? undefined : environment[line];
		return value === undefined ? line : `${line}=${value}`;
	};
	const fromFiles = files.flatMap((file) => readFileLines(file)).map(resolve);
	return [...fromFiles.filter((line) => line.includes("=")), ...texts.map(resolve)];
}

/** Labels by name; a later one wins. An option without a value makes an empty label, a file's line without one makes none. */
export function readLabels(files: readonly string[], texts: readonly string[]): Record<string, string> {
	const lines = files.flatMap((file) => readFileLines(file)).filter((line) => line.includes("="));
	return toMap([...lines, ...texts]);
}

/** `name=value` texts as a map; a name alone has the empty value. */
export function toMap(texts: readonly string[]): Record<string, string> {
	const map: Record<string, string> = {};
	for (const text of texts) {
		const equals = text.indexOf("=");
		map[equals < 0 ? text : text.slice(0, equals)] = equals < 0 ? "" : text.slice(equals + 1);
	}
	return map;
}

/**
 * The entries of an environment or label file: one a line, `#` at its start makes a comment, leading blanks do not count.
 * @throws Error for a file that can't be read or a name with blanks
 */
function readFileLines(path: string): string[] {
	let bytes: Buffer;
	try {
		bytes = readFileSync(path);
	} catch (cause) {
		const reason = errnoCode(cause) === "ENOENT" ? "no such file or directory" : (errnoCode(cause) ?? "cannot be read");
		throw new Error(`open ${path}: ${reason}`, { cause });
	}
	const refuse = (why: string) => new Error(`invalid env file (${path}): ${why}`);
	let text: string;
	try {
		text = new TextDecoder("utf-8", { fatal: true }).decode(bytes); // leaves a byte order mark out
	} catch (cause) {
		throw Object.assign(refuse("the text is not UTF-8"), { cause });
	}
	const lines: string[] = [];
	for (const raw of text.split(/\r?\n/)) {
		const line = raw.trimStart();
		if (line === "" || line.startsWith("#")) continue;
		const equals = line.indexOf("=");
		const name = equals < 0 ? line.trimEnd() : line.slice(0, equals);
		if (name === "") throw refuse(`no variable name on line '${line}'`);
		if (/\s/.test(name)) throw refuse(`variable '${name}' contains whitespaces`);
		lines.push(equals < 0 ? name : line);
	}
	return lines;
}
