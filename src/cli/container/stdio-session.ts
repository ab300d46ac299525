import { Demultiplexer } from "../../client/multiplexed-stream.ts";
import type { SocketChannel } from "../../client/socket-channel.ts";
import type { Output } from "../output.ts";
import type { SessionEnd } from "./terminal-input.ts";

/** The process's own streams, connected to a container's or exec's raw stream. */
export interface SessionOptions {
	channel: SocketChannel;
	/** The stream is a terminal's: raw bytes, not framed records. */
	isTty: boolean;
	/** Pass standard input on. */
	hasInput: boolean;
	stdout: Output | undefined;
	stderr: Output | undefined;
	/** Of a terminal session. */
	detachKeys: string;
}

/**
 * Runs until the daemon ends the stream or the detach keys are typed. The input's end is passed on as a half-close, and output goes
 * on after it. Throws ExitError 141 when the reader of an output goes away.
 */
export async function runSession(options: SessionOptions): Promise<SessionEnd> {
	const output = copyOutput(options).then((): SessionEnd => "closed");
	if (!options.hasInput) return await output;
	if (!options.isTty) {
		// Input may wait for ever; the session ends with its output.
		copyInput(options.channel).catch(() => {});
		return await output;
	}
	const { runTerminalInput } = await import("./terminal-input.ts");
	return await runTerminalInput(options.channel, options.detachKeys, output);
}

async function copyOutput({ channel, isTty, stdout, stderr }: SessionOptions): Promise<void> {
	const demultiplexer = isTty ? undefined : new Demultiplexer();
	for (;;) {
		const bytes = await channel.read();
		if (bytes === undefined) return;
		if (demultiplexer === undefined) {
			await stdout?.writeThrough(bytes);
			continue;
		}
		let hasErrors = false;
		for (const [name, payload] of demultiplexer.push(bytes)) {
			if (name === "stdout") stdout?.write(payload);
			else {
				// Keeps the order of the two as well as two pipes can.
				if (!hasErrors) await stdout?.flush();
				hasErrors = true;
				stderr?.write(payload);
			}
		}
		await stdout?.flush();
		if (hasErrors) await stderr?.flush();
	}
}

async function copyInput(channel: SocketChannel): Promise<void> {
	try {
		for await (const bytes of Bun.stdin.stream()) await channel.write(bytes);
	} finally {
		await channel.closeWrite();
	}
}
