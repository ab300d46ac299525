import { dlopen, ptr } from "bun:ffi";

/**
 * Questions about the terminal, asked of the kernel: that takes under a millisecond, where loading `node:tty` or touching
 * `process.stdout` takes ten.
 */
const { symbols: libc } = dlopen("libc.so.6", { ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" } });

const TCGETS = 0x5401;
const TIOCGWINSZ = 0x5413;

export function isTerminal(fd: number): boolean {
	const settings = new Uint8Array(64);
	return libc.ioctl(fd, TCGETS, ptr(settings)) === 0;
}

export interface TerminalSize {
	rows: number;
	columns: number;
}

/** The size of the terminal at `fd`, undefined when there is none or it does not know. */
export function terminalSize(fd: 1 | 2): TerminalSize | undefined {
	const size = new Uint16Array(4); // rows, columns, and both in pixels
	if (libc.ioctl(fd, TIOCGWINSZ, ptr(size)) !== 0) return undefined;
	const [rows = 0, columns = 0] = size;
	return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}
