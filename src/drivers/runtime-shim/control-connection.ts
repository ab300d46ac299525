import { connect, type Socket } from "node:net";
import { SystemError } from "../../base/errors.ts";
import { CONTROL_HELLO, parseMessage, type ShimMessage, type ShimState } from "./shim-protocol.ts";

/** The monitor refused a command. `code` is an errno name. */
export class ShimCommandError extends Error {
	constructor(
		readonly code: string,
		message: string,
	) {
		super(message);
		this.name = "ShimCommandError";
	}
}

interface Waiter {
	resolve(text: string): void;
	reject(error: Error): void;
}

/**
 * One control connection to a shim. Commands are answered in any order by number; events come between them.
 * It never keeps the process alive by itself, except while an answer is awaited.
 */
export class ControlConnection {
	readonly #socket: Socket;
	readonly #onEvent: (name: string, text: string) => void;
	readonly #waiters = new Map<number, Waiter>();
	readonly #closed = Promise.withResolvers<void>();
	readonly #hello = Promise.withResolvers<ShimState>();
	#nextNumber = 1;
	#holds = 0;
	#buffered = "";
	#isOpen = true;

	private constructor(socket: Socket, onEvent: (name: string, text: string) => void) {
		this.#socket = socket;
		this.#onEvent = onEvent;
		this.#hello.promise.catch(() => {}); // whoever opened us awaits it; a close before that must not count as unhandled
		socket.setEncoding("utf8");
		socket.on("data", (text: string) => this.#read(text));
		socket.on("error", (error) => this.#end(error));
		socket.on("close", () => this.#end(new SystemError("Monitor closed the connection")));
		socket.write(CONTROL_HELLO);
	}

	/**
	 * Connects and says hello. Events that follow the hello go to `onEvent`.
	 * @throws the socket's error (`ENOENT`, `ECONNREFUSED`: no monitor there), SystemError for a foreign protocol.
	 */
	static async open(
		socketPath: string,
		onEvent: (name: string, text: string) => void,
	): Promise<{ connection: ControlConnection; state: ShimState }> {
		const connection = new ControlConnection(connect({ path: socketPath }), onEvent);
		const state = await connection.#hello.promise;
		connection.#socket.unref();
		return { connection, state };
	}

	/** Resolves when the connection is gone, for whatever reason. */
	get closed(): Promise<void> {
		return this.#closed.promise;
	}

	/**
	 * Sends a command and gives the text of its answer.
	 * @throws ShimCommandError when refused, SystemError when the connection ends first.
	 */
	async request(command: string): Promise<string> {
		if (!this.#isOpen) throw new SystemError("Monitor closed the connection");
		const number = this.#nextNumber++;
		const answer = Promise.withResolvers<string>();
		this.#waiters.set(number, answer);
		this.#socket.write(`${number} ${command}\n`);
		return await this.keepAliveDuring(answer.promise);
	}

	/** Keeps the process alive until `work` settles: Bun's event loop spins when it waits with nothing to wait on. */
	async keepAliveDuring<T>(work: Promise<T>): Promise<T> {
		if (this.#holds++ === 0) this.#socket.ref();
		try {
			return await work;
		} finally {
			if (--this.#holds === 0) this.#socket.unref();
		}
	}

	close(): void {
		this.#socket.destroy();
		this.#end(new SystemError("Connection to the monitor was closed"));
	}

	#read(text: string): void {
		this.#buffered += text;
		for (let end = this.#buffered.indexOf("\n"); end >= 0; end = this.#buffered.indexOf("\n")) {
			const line = this.#buffered.slice(0, end);
			this.#buffered = this.#buffered.slice(end + 1);
			try {
				this.#dispatch(parseMessage(line));
			} catch (error) {
				this.#socket.destroy();
				this.#end(error instanceof Error ? error : new SystemError(String(error)));
				return;
			}
		}
	}

	#dispatch(message: ShimMessage): void {
		if (message.kind === "hello") this.#hello.resolve(message.state);
		else if (message.kind === "event") this.#onEvent(message.name, message.text);
		else {
			const waiter = this.#waiters.get(message.number);
			this.#waiters.delete(message.number);
			const [code = "EIO", ...words] = message.text.split(" ");
			if (message.ok) waiter?.resolve(message.text);
			else waiter?.reject(new ShimCommandError(code, words.join(" ")));
		}
	}

	#end(error: Error): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		this.#hello.reject(error);
		for (const waiter of this.#waiters.values()) waiter.reject(error);
		this.#waiters.clear();
		this.#closed.resolve();
	}
}
