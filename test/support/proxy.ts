/** An HTTP proxy that leads wherever the test says, whatever host it is asked for. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

export class TestProxy implements AsyncDisposable {
	/** `CONNECT host:443`, `GET http://host/path`. */
	readonly requests: string[] = [];
	readonly authorizations: (string | undefined)[] = [];
	readonly #sockets = new Set<Socket>();
	readonly #server: Server;

	private constructor(
		/** `host:port` of where requests for a host and port end. */
		private readonly route: (hostAndPort: string) => string,
	) {
		this.#server = createServer((socket) => this.#serve(socket));
	}

	static async open(route: (hostAndPort: string) => string): Promise<TestProxy> {
		const proxy = new TestProxy(route);
		await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
		return proxy;
	}

	get host(): string {
		return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#serve(socket: Socket): void {
		this.#track(socket);
		let head = Buffer.alloc(0);
		const onData = (chunk: Buffer) => {
			head = Buffer.concat([head, chunk]);
			const end = head.indexOf("\r\n\r\n");
			if (end < 0) return;
			socket.off("data", onData);
			socket.pause();
			this.#forward(socket, head.subarray(0, end).toString("latin1"), head.subarray(end));
		};
		socket.on("data", onData);
	}

	#forward(socket: Socket, head: string, rest: Buffer): void {
		const [line = "", ...headers] = head.split("\r\n");
		const [method = "", target = ""] = line.split(" ");
		this.requests.push(`${method} ${target}`);
		this.authorizations.push(headers.find((header) => /^proxy-authorization:/i.test(header))?.split(": ")[1]);
		const url = method === "CONNECT" ? undefined : new URL(target);
		const wanted = url === undefined ? target : `${url.hostname}:${url.port || "80"}`;
		const [host = "", port = ""] = this.route(wanted).split(":");
		const upstream = this.#track(connect(Number(port), host));
		if (url === undefined) socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
		else {
			const kept = headers.filter((header) => !/^(proxy-|connection:)/i.test(header));
			const first = `${method} ${url.pathname}${url.search} HTTP/1.1`;
			upstream.write(`${[first, ...kept, "Connection: close"].join("\r\n")}`);
		}
		upstream.write(url === undefined ? rest.subarray(4) : rest);
		socket.pipe(upstream);
		upstream.pipe(socket);
		socket.on("close", () => upstream.destroy());
		upstream.on("close", () => socket.destroy());
	}

	#track(socket: Socket): Socket {
		this.#sockets.add(socket);
		socket.on("close", () => this.#sockets.delete(socket));
		// The other end may go at any time.
		socket.on("error", () => socket.destroy());
		return socket;
	}
}
