import type { CliContext } from "./context.ts";

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

/** Asks unless `--force` was given. @throws Error when the answer is no */
export async function confirmPrune(
	context: CliContext,
	options: { isForced: boolean; warning: string; what: string },
): Promise<void> {
	const { isForced, warning, what } = options;
	if (isForced) return;
	if (await confirm(context, `WARNING! ${warning}\nAre you sure you want to continue?`)) return;
	throw new Error(`${what} prune has been cancelled`);
}
