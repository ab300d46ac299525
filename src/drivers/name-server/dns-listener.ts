/** A UDP socket and a TCP listener that DNS messages come to. */
import type { Socket, TCPSocketListener, udp } from "bun";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { Context } from "./upstream.ts";

const TCP_IDLE_SECONDS = 10;
const MAX_TCP_CONNECTIONS = 64;

export type Transport = "udp" | "tcp";

/** @param message may be overwritten after the call has returned */
export type MessageHandler = (message: Buffer, transport: Transport, reply: (answer: Buffer) => void) => void;

export interface DnsListenerOptions {
	readonly hostname: string;
	/** 0: of the kernel's choice, one for each transport. */
	readonly port: number;
	/** Where the sockets are made. */
	readonly context: Context;
	readonly onMessage: MessageHandler;
	readonly logger: Logger;
}

export class DnsListener {
	#connections = 0;
	#closed = false;
	#udp: udp.Socket<"buffer"> | undefined;
	#tcp: TCPSocketListener<TcpConnection> | undefined;

	private constructor(private readonly options: DnsListenerOptions) {}

	/** @throws Error with the socket's code */
	static async open(options: DnsListenerOptions): Promise<DnsListener> {
		const listener = new DnsListener(options);
		try {
			listener.#tcp = options.context(() => listener.#listen());
			listener.#udp = await options.context(() => listener.#bind());
			return listener;
		} catch (error) {
			listener.close();
			throw error;
		}
	}

	get ports(): { readonly udp: number; readonly tcp: number } {
		return { udp: this.#udp?.port ?? 0, tcp: this.#tcp?.port ?? 0 };
	}

	close(): void {
		this.#closed = true;
		this.#udp?.close();
		this.#tcp?.stop(true);
	}

	#bind(): Promise<udp.Socket<"buffer">> {
		const { hostname, port, onMessage, logger } = this.options;
		return Bun.udpSocket({
			hostname,
			port,
			socket: {
				data: (socket, message, from, address) =>
					onMessage(message, "udp", (answer) => {
						// A reply that the kernel has no room for is lost, as on any network; the client asks again.
						if (!this.#closed) socket.send(answer, from, address);
					}),
				error: (error) => logger.debug("name server socket failed", { error: errorMessage(error) }),
			},
		});
	}

	#listen(): TCPSocketListener<TcpConnection> {
		const { hostname, port, logger } = this.options;
		return Bun.listen<TcpConnection>({
			hostname,
			port,
			socket: {
				open: (socket) => this.#accept(socket),
				data: (socket, data) => {
					socket.timeout(TCP_IDLE_SECONDS);
					socket.data.receive(data);
				},
				drain: (socket) => socket.data.flush(socket),
				timeout: (socket) => void socket.terminate(),
				end: (socket) => void socket.end(),
				close: () => {
					this.#connections--;
				},
				error: (_socket, error) => logger.debug("name server connection failed", { error: errorMessage(error) }),
			},
		});
	}

	#accept(socket: Socket<TcpConnection>): void {
		const connection = new TcpConnection((message) =>
			this.options.onMessage(message, "tcp", (answer) => {
				if (socket.readyState > 0) connection.send(socket, answer);
			}),
		);
		socket.data = connection;
		socket.timeout(TCP_IDLE_SECONDS);
		this.#connections++;
		if (this.#closed || this.#connections > MAX_TCP_CONNECTIONS) socket.terminate();
	}
}
