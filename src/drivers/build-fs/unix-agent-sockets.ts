import { chmodSync, chownSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { errorMessage, SystemError } from "../../base/errors.ts";
import type { AgentSocketOptions, AgentSockets } from "../../core/build/agent-sockets.ts";
import type { BuildConnection } from "../../core/build/request.ts";

/** An agent has one client or two; a step that opens hundreds means no good. */
const CONNECTION_LIMIT = 64;

export class UnixAgentSockets implements AgentSockets {
	async listen(path: string, { owner, permissions, connect }: AgentSocketOptions): Promise<AsyncDisposable> {
		const sockets = new Set<Socket>();
		const server = createServer({ allowHalfOpen: false }, (socket) => {
			sockets.add(socket);
			socket.once("close", () => sockets.delete(socket));
			socket.on("error", () => socket.destroy());
			if (sockets.size > CONNECTION_LIMIT) socket.destroy();
			else void serve(socket, connect);
		});
		try {
			await new Promise<void>((resolve, reject) => {
				server.once("error", reject);
				server.listen(path, resolve);
			});
			chownSync(path, owner.uid, owner.gid);
			chmodSync(path, permissions);
		} catch (cause) {
			server.close();
			throw new SystemError(`cannot listen for the ssh agent's clients: ${errorMessage(cause)}`, { cause });
		}
		return {
			async [Symbol.asyncDispose]() {
				for (const socket of sockets) socket.destroy();
				await new Promise((resolve) => server.close(resolve));
			},
		};
	}
}

/** Both directions, until either side ends. */
async function serve(socket: Socket, connect: () => Promise<BuildConnection>): Promise<void> {
	let connection: BuildConnection | undefined;
	try {
		connection = await connect();
		const agent = connection;
		socket.once("close", () => agent.close());
		await Promise.race([toAgent(socket, agent), fromAgent(agent, socket)]);
	} catch {
		// The agent has gone: its client sees the end.
	} finally {
		connection?.close();
		socket.destroy();
	}
}

async function toAgent(socket: Socket, agent: BuildConnection): Promise<void> {
	for await (const chunk of socket) await agent.write(chunk);
}

async function fromAgent(agent: BuildConnection, socket: Socket): Promise<void> {
	for await (const chunk of agent.readable)
		if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
}
