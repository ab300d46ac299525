/** Runs programs for tests: argv in, code and output out, always within a time limit. */

export interface CommandOptions {
	/** Standard input; closed at once when absent. */
	readonly stdin?: string | Uint8Array | Blob;
	/** Added to the environment of the test process; undefined removes a variable. */
	readonly env?: Readonly<Record<string, string | undefined>>;
	readonly cwd?: string;
	/** The command is killed after this time, and the call rejects. Default 60 s. */
	readonly timeoutMs?: number;
	/** Hears standard output as it comes. */
	readonly onStdout?: (text: string) => void;
}

export interface CommandResult {
	/** 128 + signal number when a signal ended it. */
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/** @throws Error when the program cannot be started or does not end in time. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
	const { stdin, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
	const child = Bun.spawn([...argv], {
		stdin: stdin === undefined ? "ignore" : new Blob([stdin]),
		stdout: "pipe",
		stderr: "pipe",
		env: { ...process.env, ...options.env },
		...(options.cwd === undefined ? {} : { cwd: options.cwd }),
	});
	let timedOut = false;
	const timer = setTimeout(() => {
		timedOut = true;
		child.kill("SIGKILL");
	}, timeoutMs);
	try {
		const [stdout, stderr, code] = await Promise.all([
			collect(child.stdout, options.onStdout),
			child.stderr.text(),
			child.exited,
		]);
		if (timedOut) throw new Error(`${argv.join(" ")} did not end in ${timeoutMs} ms:\n${stdout}${stderr}`);
		return { code, stdout, stderr };
	} finally {
		clearTimeout(timer);
	}
}

async function collect(stream: ReadableStream<Uint8Array>, onText: (text: string) => void = () => {}): Promise<string> {
	const decoder = new TextDecoder();
	let all = "";
	for await (const piece of stream) {
		const text = decoder.decode(piece, { stream: true });
		all += text;
		onText(text);
	}
	return all;
}

/** Standard output without the last line's end; @throws Error with all the output when the code is not 0. */
export async function mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
	const { code, stdout, stderr } = await runCommand(argv, options);
	if (code !== 0) throw new Error(`${argv.join(" ")} ended with code ${code}:\n${stdout}${stderr}`);
	return stdout.replace(/\n$/, "");
}

/**
 * Calls `probe` until it gives something else than undefined or false.
 * @throws Error naming `what` after `timeoutMs`.
 */
export async function waitFor<T>(
	what: string,
	probe: () => Promise<T | undefined | false> | T | undefined | false,
	timeoutMs = 10_000,
): Promise<T> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		const found = await probe();
		if (found !== undefined && found !== false) return found;
		if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`);
		await Bun.sleep(20);
	}
}
