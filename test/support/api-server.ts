/** The Engine API in this process, on a unix socket, with the backends a test gives. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MIN_API_VERSION } from "../../src/api/engine/version.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { ApiServer } from "../../src/server/api-server.ts";
import type { Backends } from "../../src/server/backends.ts";
import { engineRoutes } from "../../src/server/routes.ts";

export interface TestApi extends AsyncDisposable {
	readonly socketPath: string;
	request(method: string, path: string, init?: RequestInit): Promise<Response>;
	/** A connection of its own. */
	open(): Promise<RawConnection>;
	close(graceMs: number): Promise<void>;
}

export async function startApi(backends: Backends): Promise<TestApi> {
	const directory = mkdtempSync(join(tmpdir(), "gantry-api-"));
	const socketPath = join(directory, "s");
	const server = new ApiServer({
		routes: engineRoutes(backends, silentLogger),
		logger: silentLogger,
		serverHeader: "Docker/test (linux)",
		minApiVersion: MIN_API_VERSION,
		headers: { "Docker-Experimental": "false" },
	});
	const listener = createServer({ allowHalfOpen: true }, (socket) => server.serve(socket));
	await new Promise<void>((resolve) => listener.listen(socketPath, resolve));
	return {
		socketPath,
		request: (method, path, init = {}) => fetch(`http://d${path}`, { unix: socketPath, method, ...init }),
		open: () => RawConnection.open(socketPath),
		close: (graceMs) => server.close(graceMs),
		async [Symbol.asyncDispose]() {
			listener.close();
			await server.close(0);
			rmSync(directory, { recursive: true });
		},
	};
}

/** Bytes over a socket, for what fetch cannot say. */
export class RawConnection implements Disposable {
	#received: Buffer = Buffer.alloc(0);
	#ended = false;
	#wake = () => {};

	private constructor(readonly socket: Socket) {
		socket.on("data", (chunk: Buffer) => {
			this.#received = Buffer.concat([this.#received, chunk]);
			this.#wake();
		});
		for (const event of ["end", "close", "error"])
			socket.on(event, () => {
				this.#ended = true;
				this.#wake();
			});
	}

	static async open(socketPath: string): Promise<RawConnection> {
		const socket = connect({ path: socketPath, allowHalfOpen: true });
		await new Promise<void>((resolve, reject) => {
			socket.once("connect", resolve);
			socket.once("error", reject);
		});
		return new RawConnection(socket);
	}

	send(text: string | Uint8Array): void {
		this.socket.write(text);
	}

	sendHead(line: string, fields: readonly string[] = []): void {
		this.send([`${line} HTTP/1.1`, "Host: d", ...fields, "", ""].join("\r\n"));
	}

	/** Everything up to and with `mark`, taken from what was received. @throws Error when the connection ends before */
	async readUntil(mark: string): Promise<string> {
		for (;;) {
			const index = this.#received.indexOf(mark);
			if (index >= 0) {
				const end = index + Buffer.byteLength(mark);
				const text = this.#received.toString("latin1", 0, end);
				this.#received = this.#received.subarray(end);
				return text;
			}
			if (this.#ended) throw new Error(`connection ended after ${JSON.stringify(this.#received.toString("latin1"))}`);
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	/** All that comes up to the end of the connection. */
	async readToEnd(): Promise<string> {
		while (!this.#ended)
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		return this.#received.toString("latin1");
	}

	[Symbol.dispose](): void {
		this.socket.destroy();
	}
}
