import tty from "node:tty";

/** Questions about the terminal. Loading `node:tty` takes milliseconds: import this only where the answer matters. */
export function isTerminal(fd: number): boolean {
	return tty.isatty(fd);
}

export interface TerminalSize {
	rows: number;
	columns: number;
}

/** The size of the terminal at `fd`, undefined when there is none or it does not know. */
export function terminalSize(fd: 1 | 2): TerminalSize | undefined {
	if (!tty.isatty(fd)) return undefined;
	const stream = fd === 1 ? process.stdout : process.stderr;
	const { rows, columns } = stream;
	return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}
