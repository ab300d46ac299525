import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Duplex, PassThrough } from "node:stream";
import { ConflictError, NotFoundError } from "../../../src/base/errors.ts";
import { TaskStartError } from "../../../src/core/container/task-start-error.ts";
import { type RawConnection, startApi } from "../../support/api-server.ts";
import { fakeBackends } from "../../support/fake-backends.ts";

const UPGRADE = ["Upgrade: tcp", "Connection: Upgrade"];

/** What a monitor's socket is: two connected ends. */
async function socketPair(): Promise<{ readonly server: Socket; readonly client: Socket } & Disposable> {
	const listener: Server = createServer({ allowHalfOpen: true });
	listener.listen(0, "127.0.0.1");
	await once(listener, "listening");
	const address = listener.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	const accepted = once(listener, "connection");
	const client = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
	const [server] = (await accepted) as [Socket];
	listener.close();
	return {
		server,
		client,
		[Symbol.dispose]() {
			server.destroy();
			client.destroy();
		},
	};
}

/** A session that gives back what it gets, and ends with its input. */
function echo(terminal = false): { readonly terminal: boolean; readonly stream: Duplex } {
	return { terminal, stream: new PassThrough() };
}

async function attached(connection: RawConnection, query = "", fields: readonly string[] = UPGRADE): Promise<string> {
	connection.sendHead(`POST /v1.45/containers/a/attach?stream=1&stdin=1&stdout=1${query}`, fields);
	return await connection.readUntil("\r\n\r\n");
}

describe("attach", () => {
	test("answers 101 when asked to upgrade, with the framing", async () => {
		await using api = await startApi(fakeBackends({ streams: { attach: async () => echo() } }));
		using connection = await api.open();
		expect(await attached(connection)).toBe(
			"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
		);
	});

	test("answers 200 raw without upgrade", async () => {
		await using api = await startApi(fakeBackends({ streams: { attach: async () => echo() } }));
		using connection = await api.open();
		expect(await attached(connection, "", [])).toBe(
			"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
		);
	});

	test("takes input that came with the request, and keeps a half-close", async () => {
		await using api = await startApi(fakeBackends({ streams: { attach: async () => echo() } }));
		using connection = await api.open();
		connection.send(
			`POST /containers/a/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nearly`,
		);
		await connection.readUntil("early");
		connection.send("late");
		await connection.readUntil("late");
		connection.socket.end("last");
		expect(await connection.readToEnd()).toBe("last");
	});

	test("works on a connection that served requests before, with and without upgrade", async () => {
		await using api = await startApi(fakeBackends({ streams: { attach: async () => echo() } }));
		for (const fields of [UPGRADE, []]) {
			using connection = await api.open();
			for (let count = 0; count < 3; count++) {
				connection.sendHead("GET /_ping");
				await connection.readUntil("\r\n\r\nOK");
			}
			await attached(connection, "", fields);
			connection.send("hello");
			expect(await connection.readUntil("hello")).toBe("hello");
		}
	});

	test("is a plain error when it cannot be", async () => {
		const attach = () => Promise.reject(new NotFoundError("No such container: a"));
		await using api = await startApi(fakeBackends({ streams: { attach } }));
		using connection = await api.open();
		connection.sendHead("POST /containers/a/attach", UPGRADE);
		const text = await connection.readUntil("}\n");
		expect(text).toStartWith("HTTP/1.1 404 Not Found\r\n");
		expect(text).toEndWith('{"message":"No such container: a"}\n');
	});

	test("ends the connection with the session, though the client keeps its side open", async () => {
		const session = echo();
		await using api = await startApi(fakeBackends({ streams: { attach: async () => session } }));
		using connection = await api.open();
		await attached(connection);
		session.stream.end("bye");
		expect(await connection.readToEnd()).toBe("bye");
	});

	test("ends the session when the client goes", async () => {
		const session = echo();
		await using api = await startApi(fakeBackends({ streams: { attach: async () => session } }));
		const connection = await api.open();
		await attached(connection);
		connection.socket.destroy();
		await once(session.stream, "close");
		expect(session.stream.destroyed).toBe(true);
	});

	test("ends the session of a client that has gone at the next output, when nobody reads its input", async () => {
		const stream = new Duplex({ read() {}, write() {} });
		await using api = await startApi(fakeBackends({ streams: { attach: async () => ({ terminal: false, stream }) } }));
		const connection = await api.open();
		await attached(connection);
		while (connection.socket.write(Buffer.alloc(65_536)));
		await Bun.sleep(50);
		connection.socket.destroy();
		await Bun.sleep(20);
		stream.push("output");
		await once(stream, "close");
		expect(stream.destroyed).toBe(true);
	});

	test("detaches a terminal by its keys, which never reach the process", async () => {
		let detached = 0;
		const input: string[] = [];
		const session = { ...echo(true), onDetach: () => detached++ };
		session.stream.on("data", (chunk: Buffer) => input.push(chunk.toString()));
		await using api = await startApi(fakeBackends({ streams: { attach: async () => session } }));
		using connection = await api.open();
		await attached(connection, "&detachKeys=ctrl-a,x");
		connection.send("typed\x01");
		await Bun.sleep(20);
		connection.send("xrest");
		await connection.readToEnd();
		expect([input.join(""), detached, session.stream.destroyed]).toEqual(["typed", 1, true]);
	});

	test("lets the keys pass where there is no terminal", async () => {
		await using api = await startApi(fakeBackends({ streams: { attach: async () => echo() } }));
		using connection = await api.open();
		await attached(connection);
		connection.send("a\x10\x11b");
		expect(await connection.readUntil("b")).toBe("a\x10\x11b");
	});

	test("refuses bad detach keys", async () => {
		await using api = await startApi(fakeBackends({}));
		const response = await api.request("POST", "/containers/a/attach?detachKeys=ctrl-abc");
		expect([response.status, await response.json()]).toEqual([
			400,
			{ message: "Invalid escape keys (ctrl-abc) provided" },
		]);
	});

	test("carries tens of megabytes both ways unchanged", async () => {
		using pair = await socketPair();
		pair.client.pipe(pair.client);
		await using api = await startApi(
			fakeBackends({ streams: { attach: async () => ({ terminal: false, stream: pair.server }) } }),
		);
		using connection = await api.open();
		const sent = randomBytes(1024 * 1024);
		const rounds = 40;
		await attached(connection);
		const received = createHash("sha256");
		let size = 0;
		connection.socket.removeAllListeners("data");
		connection.socket.on("data", (chunk) => {
			received.update(chunk);
			size += chunk.length;
		});
		const expected = createHash("sha256");
		for (let round = 0; round < rounds; round++) {
			expected.update(sent);
			if (!connection.socket.write(sent)) await once(connection.socket, "drain");
		}
		connection.socket.end();
		await once(connection.socket, "end");
		expect([size, received.digest("hex")]).toEqual([rounds * sent.length, expected.digest("hex")]);
	});

	test("holds a session back whose client does not read", async () => {
		using pair = await socketPair();
		await using api = await startApi(
			fakeBackends({ streams: { attach: async () => ({ terminal: false, stream: pair.server }) } }),
		);
		using connection = await api.open();
		await attached(connection);
		connection.socket.pause();
		let written = 0;
		const chunk = Buffer.alloc(65_536);
		const write = () => {
			while (written < 256 * 1024 * 1024) {
				written += chunk.length;
				if (!pair.client.write(chunk)) return void pair.client.once("drain", write);
			}
		};
		write();
		await Bun.sleep(400);
		expect(written).toBeLessThan(64 * 1024 * 1024);
	});
});

describe("exec start", () => {
	const inspect = async () => ({ DetachKeys: "", ProcessConfig: { tty: false } }) as never;

	test("reads its JSON body, then is hijacked, in one packet", async () => {
		const started: unknown[] = [];
		const start = async (...call: unknown[]) => {
			started.push(call);
			return echo();
		};
		await using api = await startApi(fakeBackends({ execs: { inspect, start } }));
		using connection = await api.open();
		const body = '{"Detach":false,"Tty":false}';
		connection.send(
			`POST /exec/e/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: ${body.length}\r\n\r\n${body}stdin`,
		);
		expect(await connection.readUntil("stdin")).toStartWith("HTTP/1.1 101 UPGRADED\r\n");
		expect(started).toEqual([["e", { Detach: false, Tty: false }]]);
	});

	test("detached is a plain 200", async () => {
		await using api = await startApi(fakeBackends({ execs: { inspect, start: async () => undefined } }));
		const response = await api.request("POST", "/exec/e/start", {
			headers: { "Content-Type": "application/json" },
			body: '{"Detach":true}',
		});
		expect([response.status, await response.text()]).toEqual([200, ""]);
	});

	test("is a plain error when it is refused at once", async () => {
		const start = () => Promise.reject(new ConflictError("is paused"));
		await using api = await startApi(fakeBackends({ execs: { inspect, start } }));
		const response = await api.request("POST", "/exec/e/start", {
			headers: { "Content-Type": "application/json" },
			body: "{}",
		});
		expect([response.status, await response.json()]).toEqual([409, { message: "is paused" }]);
	});

	test("sends its head before the process starts", async () => {
		const { promise, resolve } = Promise.withResolvers<ReturnType<typeof echo>>();
		await using api = await startApi(fakeBackends({ execs: { inspect, start: () => promise } }));
		using connection = await api.open();
		connection.sendHead("POST /exec/e/start", [...UPGRADE, "Content-Type: application/json", "Content-Length: 2"]);
		connection.send("{}typed before");
		await connection.readUntil("\r\n\r\n");
		resolve(echo());
		expect(await connection.readUntil("before")).toBe("typed before");
	});

	const framings: [string, boolean, string, string][] = [
		["frames a terminal's output for who asks without Tty", true, '{"Tty":false}', "\x01\0\0\0\0\0\0\x03out"],
		["takes the frames away for who asks with Tty", false, '{"Tty":true}', "out"],
		["leaves a terminal's output as it is", true, '{"Tty":true}', "out"],
	];
	for (const [name, terminal, body, output] of framings)
		test(name, async () => {
			const session = echo(terminal);
			session.stream.end(terminal ? "out" : Buffer.from("\x02\0\0\0\0\0\0\x03out", "latin1"));
			await using api = await startApi(fakeBackends({ execs: { inspect, start: async () => session } }));
			using connection = await api.open();
			connection.sendHead("POST /exec/e/start", [
				...UPGRADE,
				"Content-Type: application/json",
				`Content-Length: ${body.length}`,
			]);
			connection.send(body);
			await connection.readUntil("\r\n\r\n");
			expect(await connection.readToEnd()).toBe(output);
		});

	test("shows why a command cannot run as its output", async () => {
		const start = async () => {
			await Bun.sleep(1);
			throw new TaskStartError("not-found", "exec: nosuch: not found");
		};
		await using api = await startApi(fakeBackends({ execs: { inspect, start } }));
		using connection = await api.open();
		const body = "{}";
		connection.sendHead("POST /exec/e/start", [
			...UPGRADE,
			"Content-Type: application/json",
			`Content-Length: ${body.length}`,
		]);
		connection.send(body);
		const text = await connection.readToEnd();
		expect(text).toStartWith("HTTP/1.1 101 UPGRADED\r\n");
		expect(text).toEndWith("\r\n\r\n\x01\0\0\0\0\0\0\x19exec: nosuch: not found\r\n");
	});

	test("of an unknown exec is 404", async () => {
		const unknown = () => Promise.reject(new NotFoundError("No such exec instance: e"));
		await using api = await startApi(fakeBackends({ execs: { inspect: unknown } }));
		const response = await api.request("POST", "/exec/e/start", {
			headers: { "Content-Type": "application/json" },
			body: "{}",
		});
		expect(response.status).toBe(404);
	});
});

describe("attach over WebSocket", () => {
	test("carries input and output without stream headers", async () => {
		const stream = new PassThrough();
		const input: string[] = [];
		const session = { terminal: false, stream: fromOutput(stream, input) };
		await using api = await startApi(fakeBackends({ streams: { attach: async () => session } }));
		const socket = new WebSocket(`ws+unix://${api.socketPath}:/containers/a/attach/ws?stream=1`);
		socket.binaryType = "arraybuffer";
		await once(socket as never, "open");
		socket.send("typed");
		await once(stream, "input");
		const message = once(socket as never, "message");
		stream.write(Buffer.from("\x01\0\0\0\0\0\0\x05hello", "latin1"));
		const [event] = (await message) as [MessageEvent];
		expect(Buffer.from(event.data as ArrayBuffer).toString()).toBe("hello");
		expect(input.join("")).toBe("typed");
		const closed = once(socket as never, "close");
		stream.end();
		await closed;
	});

	test("refuses what is no handshake", async () => {
		await using api = await startApi(fakeBackends({}));
		expect((await api.request("GET", "/containers/a/attach/ws")).status).toBe(400);
	});
});

/** A duplex whose output is what `output` is given; input is noted. */
function fromOutput(output: PassThrough, input: string[]): Duplex {
	const stream: Duplex = new Duplex({
		read() {},
		write(chunk: Buffer, _encoding, done) {
			input.push(chunk.toString());
			output.emit("input");
			done();
		},
	});
	output.on("data", (chunk) => stream.push(chunk));
	output.on("end", () => stream.push(null));
	return stream;
}
