import type { SocketChannel } from "../../client/socket-channel.ts";
import { DetachScanner, parseDetachKeys } from "./detach-keys.ts";

export type SessionEnd = "closed" | "detached";

/** Passes what is typed on, key by key, until the output ends or the detach keys are typed; the terminal is given back as it was. */
export async function runTerminalInput(
	channel: SocketChannel,
	detachKeys: string,
	output: Promise<SessionEnd>,
): Promise<SessionEnd> {
	const { stdin } = process;
	const scanner = new DetachScanner(parseDetachKeys(detachKeys));
	const detached = Promise.withResolvers<SessionEnd>();
	const onData = (bytes: Uint8Array) => {
		const scanned = scanner.push(bytes);
		if (scanned.output.length > 0) channel.write(scanned.output).catch(() => {}); // the output's end tells
		if (scanned.isDetached) detached.resolve("detached");
	};
	const onEnd = () => {
		channel.closeWrite().catch(() => {});
	};
	const restore = stdin.isTTY ? makeRaw() : () => {};
	stdin.on("data", onData);
	stdin.on("end", onEnd);
	try {
		return await Promise.race([output, detached.promise]);
	} finally {
		stdin.off("data", onData);
		stdin.off("end", onEnd);
		stdin.pause();
		restore();
		channel.destroy();
	}
}

/**
 * Every byte goes through as it is, in both directions: the runtime's own raw mode still turns each line feed of the output into
 * two characters, so `stty` does it where it is installed. Returns what puts the terminal back.
 */
function makeRaw(): () => void {
	const saved = runStty(["-g"]);
	if (saved === undefined || runStty(["raw", "-echo"]) === undefined) {
		process.stdin.setRawMode(true);
		return () => process.stdin.setRawMode(false);
	}
	return () => {
		runStty([saved.trim()]);
	};
}

/** What `stty` prints; undefined when it fails or is not there. */
function runStty(argv: readonly string[]): string | undefined {
	try {
		const { exitCode, stdout } = Bun.spawnSync(["stty", ...argv], {
			stdin: "inherit",
			stdout: "pipe",
			stderr: "ignore",
		});
		return exitCode === 0 ? stdout.toString() : undefined;
	} catch {
		return undefined; // not installed
	}
}

/** Tells `resize` the terminal's size now and whenever it changes; returns what stops it. */
export function followTerminalSize(
	resize: (rows: number, columns: number) => Promise<void>,
	options: { isRedrawn?: boolean } = {},
): () => void {
	const tell = () => {
		const { rows, columns } = process.stdout;
		// The process may have ended meanwhile: its size does not matter then.
		if (rows > 0 && columns > 0) resize(rows, columns).catch(() => {});
	};
	// Makes the stream look at the terminal again before it is asked.
	process.stdout.on("resize", tell);
	const { rows, columns } = process.stdout;
	// Programs draw again when the size changes: a prompt that is there already can be seen only then.
	if (options.isRedrawn && rows > 0 && columns > 0) resize(rows + 1, columns).then(tell, tell);
	else tell();
	return () => {
		process.stdout.off("resize", tell);
	};
}
