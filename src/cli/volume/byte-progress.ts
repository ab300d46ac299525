import { humanSize } from "../../base/units.ts";
import type { CliContext } from "../context.ts";

const INTERVAL_MS = 100;

/** The same bytes, with a line on a terminal's standard error that tells how many there were so far. @param totalBytes where it is known */
export async function* withByteProgress(
	context: CliContext,
	bytes: AsyncIterable<Uint8Array>,
	totalBytes?: number,
): AsyncGenerator<Uint8Array> {
	const { isTerminal } = await import("../terminal.ts");
	if (!isTerminal(2)) {
		yield* bytes;
		return;
	}
	const { stderr } = context;
	const total = totalBytes === undefined ? "" : ` of ${humanSize(totalBytes)}`;
	let done = 0;
	let shownAt = 0;
	for await (const chunk of bytes) {
		yield chunk;
		done += chunk.length;
		if (performance.now() - shownAt < INTERVAL_MS) continue;
		shownAt = performance.now();
		await stderr.writeThrough(`\r\x1b[2K${humanSize(done)}${total}`);
	}
	await stderr.writeThrough("\r\x1b[2K");
}
