import { ApiError } from "../client/api-error.ts";
import type { OptionSpec } from "./command.ts";
import type { CliContext } from "./context.ts";
import { describeError } from "./describe-error.ts";
import { indentJson } from "./formatter/indent-json.ts";

export const INSPECT_FORMAT_OPTION: OptionSpec = {
	name: "format",
	short: "f",
	kind: "string",
	help: "json, or a Go template such as {{.Name}}",
};

/**
 * Shows what `fetch` gives for each name: indented JSON in one array, or each by the template. Names that are not there are reported
 * after the others; the exit code is 1 then.
 */
export async function inspectObjects(
	context: CliContext,
	names: readonly string[],
	format: string,
	fetch: (name: string) => Promise<string>,
): Promise<number> {
	const texts: string[] = [];
	const failures: string[] = [];
	for (const name of names) {
		try {
			texts.push(await fetch(name));
		} catch (error) {
			failures.push(describeError(error));
			if (!(error instanceof ApiError) && !(error instanceof MissingObjectError)) break;
		}
	}
	if (format === "") context.stdout.line(texts.length === 0 ? "[]" : indentJson(`[${texts.join(",")}]`));
	else if (format === "json") context.stdout.line(`[${texts.join(",")}]`);
	else await writeByTemplate(context, texts, format);
	await context.stdout.flush();
	for (const failure of failures) context.stderr.line(failure);
	return failures.length === 0 ? 0 : 1;
}

/** No object of any kind has the name. */
export class MissingObjectError extends Error {
	constructor(name: string) {
		super(`Error: No such object: ${name}`);
	}
}

async function writeByTemplate(context: CliContext, texts: readonly string[], format: string): Promise<void> {
	const { Template } = await import("./formatter/template.ts");
	try {
		const template = new Template(format);
		for (const text of texts) context.stdout.line(template.execute(JSON.parse(text)));
	} catch (error) {
		if (!(error instanceof Error) || !("phase" in error)) throw error;
		throw new Error(`template parsing error: ${error.message}`, { cause: error });
	}
}
