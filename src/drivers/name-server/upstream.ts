/** One question to one server of somebody else's, over UDP or TCP. Each UDP question has a socket, and so a port, of its own. */
import { randomInt } from "node:crypto";
import { answers, type DnsQuery, withId } from "../../core/network/dns-message.ts";

const DNS_PORT = 53;

export interface Question {
	readonly message: Buffer;
	readonly query: DnsQuery;
	readonly transport: "udp" | "tcp";
}

/** Runs synchronous work where the question is to be asked from: the host's network namespace or a container's. */
export type Context = <T>(work: () => T) => T;

/** @returns the reply, or undefined when there is none to be had. Never rejects. */
export async function ask(
	server: string,
	question: Question,
	context: Context,
	signal: AbortSignal,
): Promise<Buffer | undefined> {
	if (signal.aborted) return undefined;
	const id = randomInt(0x10000);
	const message = withId(Buffer.from(question.message), id);
	const result = Promise.withResolvers<Buffer | undefined>();
	const accept = (reply: Buffer) => {
		if (answers(reply, id, question.query)) result.resolve(Buffer.from(reply));
	};
	const giveUp = () => result.resolve(undefined);
	signal.addEventListener("abort", giveUp, { once: true });
	let close = () => {};
	try {
		close = await (question.transport === "udp"
			? askOverUdp(server, message, context, { accept, giveUp })
			: askOverTcp(server, message, context, { accept, giveUp }));
		return await result.promise;
	} catch {
		// No such route, no such address family, the namespace is gone: this server has no answer.
		return undefined;
	} finally {
		signal.removeEventListener("abort", giveUp);
		close();
	}
}

interface Outcome {
	readonly accept: (reply: Buffer) => void;
	readonly giveUp: () => void;
}

async function askOverUdp(server: string, message: Buffer, context: Context, { accept, giveUp }: Outcome) {
	const socket = await context(() =>
		Bun.udpSocket({
			connect: { hostname: server, port: DNS_PORT },
			socket: { data: (_socket, data) => accept(data), error: giveUp },
		}),
	);
	if (!socket.send(message)) giveUp();
	return () => socket.close();
}

async function askOverTcp(server: string, message: Buffer, context: Context, { accept, giveUp }: Outcome) {
	let received = Buffer.alloc(0);
	const framed = Buffer.alloc(message.length + 2);
	framed.writeUInt16BE(message.length, 0);
	message.copy(framed, 2);
	const socket = await context(() =>
		Bun.connect({
			hostname: server,
			port: DNS_PORT,
			socket: {
				open: (opened) => void opened.write(framed),
				data(_socket, data) {
					received = Buffer.concat([received, data]);
					if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
						accept(received.subarray(2, 2 + received.readUInt16BE(0)));
				},
				error: giveUp,
				close: giveUp,
			},
		}),
	);
	return () => void socket.terminate();
}
