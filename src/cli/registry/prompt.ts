import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Output } from "../output.ts";

/** Asks on a terminal. */
export async function ask(output: Output, question: string): Promise<string> {
	await output.writeThrough(question);
	return (await readLine(undefined)).trim();
}

/** The same without showing what is typed. */
export async function askSecretly(output: Output, question: string): Promise<string> {
	await output.writeThrough(question);
	const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
	const answer = await readLine(nowhere);
	await output.writeThrough("\n");
	return answer;
}

/** @param echo undefined: the terminal shows what is typed by itself; else it is told to leave that to `echo` */
async function readLine(echo: Writable | undefined): Promise<string> {
	const lines = createInterface({
		input: process.stdin,
		...(echo === undefined ? {} : { output: echo, terminal: true }),
	});
	try {
		const { promise, resolve, reject } = Promise.withResolvers<string>();
		lines.once("line", resolve);
		lines.once("close", () => resolve(""));
		lines.once("SIGINT", () => reject(new Error("user terminated the prompt")));
		return await promise;
	} finally {
		lines.close();
		process.stdin.pause();
	}
}
