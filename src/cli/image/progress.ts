import type { ProgressMessage } from "../../api/engine/image.ts";
import { humanSize } from "../../base/units.ts";
import type { Output } from "../output.ts";
import { ExitError } from "../usage-error.ts";

/**
 * Shows a stream of progress messages: on a terminal each ID keeps a line of its own that is rewritten, elsewhere only what is not
 * a progress bar is written.
 * @throws ExitError with the error the daemon reports in the stream
 */
export async function showProgress(messages: AsyncIterable<ProgressMessage>, output: Output): Promise<void> {
	const { isTerminal } = await import("../terminal.ts");
	const display = isTerminal(output.fd) ? new TerminalProgress(output) : undefined;
	for await (const message of messages) {
		const failure = message.errorDetail?.message ?? message.error;
		if (failure !== undefined) {
			await output.flush();
			throw new ExitError(1, failure);
		}
		if (message.aux !== undefined) continue;
		if (display !== undefined) display.show(message);
		else if (!hasProgress(message)) output.write(plainText(message));
		await output.flush();
	}
}

/** What a quiet command shows of a stream of messages. */
export async function* onlyErrors(messages: AsyncIterable<ProgressMessage>): AsyncGenerator<ProgressMessage> {
	for await (const message of messages) if (message.error !== undefined) yield message;
}

function hasProgress({ progressDetail }: ProgressMessage): boolean {
	return (progressDetail?.current ?? 0) > 0 || (progressDetail?.total ?? 0) > 0;
}

function plainText(message: ProgressMessage): string {
	if (message.stream !== undefined && message.stream !== "") return message.stream;
	return `${message.id ? `${message.id}: ` : ""}${message.status ?? ""}\n`;
}

class TerminalProgress {
	readonly #lines = new Map<string, number>();
	#lineCount = 0;

	constructor(private readonly output: Output) {}

	show(message: ProgressMessage): void {
		const { id } = message;
		if (!id || message.stream) {
			// What has no line of its own ends the block of lines that can be rewritten.
			this.#lines.clear();
			this.#lineCount = 0;
			this.output.write(hasProgress(message) ? `\r\x1b[2K${message.status ?? ""} ${bar(message)}` : plainText(message));
			return;
		}
		const line = this.#lines.get(id);
		if (line === undefined) {
			this.#lines.set(id, this.#lineCount++);
			this.output.write(`${this.#text(message)}\n`);
			return;
		}
		const up = this.#lineCount - line;
		this.output.write(`\x1b[${up}A\r\x1b[2K${this.#text(message)}\x1b[${up}B\r`);
	}

	#text(message: ProgressMessage): string {
		return `${message.id}: ${message.status ?? ""}${hasProgress(message) ? ` ${bar(message)}` : ""}`;
	}
}

const BAR_WIDTH = 30;

function bar({ progressDetail }: ProgressMessage): string {
	const { current = 0, total = 0 } = progressDetail ?? {};
	if (total <= 0 || current > total) return humanSize(current);
	const filled = Math.round((current / total) * BAR_WIDTH);
	return `[${"=".repeat(filled)}${filled < BAR_WIDTH ? ">" : ""}${" ".repeat(Math.max(0, BAR_WIDTH - filled - 1))}] ${humanSize(current)}/${humanSize(total)}`;
}
