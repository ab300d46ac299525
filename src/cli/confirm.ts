import type { CliContext } from "./context.ts";
import { ExitError } from "./usage-error.ts";

/** Asks on standard output; only an answer that begins with y is a yes, the end of the input is a no. */
export async function confirm(context: CliContext, question: string): Promise<boolean> {
	await context.stdout.writeThrough(`${question} [y/N] `);
	let answer = "";
	const decoder = new TextDecoder();
	for await (const bytes of Bun.stdin.stream()) {
		answer += decoder.decode(bytes, { stream: true });
		if (answer.includes("\n")) break;
	}
	return /^\s*y(es)?\s*$/i.test(answer.split("\n")[0] ?? "");
}

/** Asks unless `--force` was given. @throws ExitError 0 when the answer is no: nothing was wanted, nothing failed */
export async function confirmPrune(context: CliContext, isForced: boolean, warning: string): Promise<void> {
	if (isForced) return;
	if (await confirm(context, `WARNING! ${warning}\nAre you sure you want to continue?`)) return;
	throw new ExitError(0);
}
