import type { SocketChannel } from "../../client/socket-channel.ts";
import { DetachScanner, parseDetachKeys } from "./detach-keys.ts";
import type { SessionEnd } from "./stdio-session.ts";

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
	const isTerminal = stdin.isTTY;
	if (isTerminal) stdin.setRawMode(true);
	stdin.on("data", onData);
	stdin.on("end", onEnd);
	try {
		return await Promise.race([output, detached.promise]);
	} finally {
		stdin.off("data", onData);
		stdin.off("end", onEnd);
		stdin.pause();
		if (isTerminal) stdin.setRawMode(false);
		channel.destroy();
	}
}

/** Tells `resize` the terminal's size now and whenever it changes; returns what stops it. */
export function followTerminalSize(resize: (rows: number, columns: number) => Promise<void>): () => void {
	const tell = () => {
		const { rows, columns } = process.stdout;
		// The process may have ended meanwhile: its size does not matter then.
		if (rows > 0 && columns > 0) resize(rows, columns).catch(() => {});
	};
	// Makes the stream look at the terminal again before it is asked.
	process.stdout.on("resize", tell);
	tell();
	return () => {
		process.stdout.off("resize", tell);
	};
}
