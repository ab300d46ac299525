import { waitFor } from "./commands.ts";

export interface TerminalOptions {
	readonly env?: Readonly<Record<string, string | undefined>>;
	readonly columns?: number;
	readonly rows?: number;
}

/** A program on a pseudo-terminal of its own, as a user sits before it. */
export class TerminalSession implements AsyncDisposable {
	#output = "";
	readonly #child: Bun.Subprocess;

	constructor(argv: readonly string[], options: TerminalOptions = {}) {
		const decoder = new TextDecoder();
		this.#child = Bun.spawn([...argv], {
			env: { ...process.env, TERM: "xterm", ...options.env },
			terminal: {
				cols: options.columns ?? 80,
				rows: options.rows ?? 24,
				data: (_terminal, chunk) => {
					this.#output += decoder.decode(chunk, { stream: true });
				},
			},
		});
	}

	/** Everything shown so far, escape sequences and carriage returns included. */
	get output(): string {
		return this.#output;
	}

	get exited(): Promise<number> {
		return this.#child.exited;
	}

	type(text: string): void {
		this.#child.terminal?.write(text);
	}

	resize(columns: number, rows: number): void {
		this.#child.terminal?.resize(columns, rows);
	}

	/** Waits until the output matches, and gives the match. @throws Error with the output after `timeoutMs`. */
	async expect(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpExecArray> {
		try {
			return await waitFor(String(pattern), () => pattern.exec(this.#output) ?? undefined, timeoutMs);
		} catch (error) {
			throw new Error(`The terminal did not show ${pattern} but: ${JSON.stringify(this.#output)}`, { cause: error });
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#child.kill("SIGKILL");
		await this.#child.exited;
		this.#child.terminal?.close();
	}
}
