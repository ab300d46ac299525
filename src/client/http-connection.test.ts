import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiError, ConnectionError } from "./api-error.ts";
import { EngineClient, encodeQuery } from "./engine-client.ts";
import { jsonLines } from "./json-lines.ts";

let folder = "";
let server: Server;
let connections: Socket[] = [];
/** What a connection does with each piece of input. */
let onData: (socket: Socket, data: Buffer) => void = () => {};

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "gantry-client-"));
	connections = [];
	server = createServer({ allowHalfOpen: true }, (socket) => {
		connections.push(socket);
		socket.on("error", () => {});
		socket.on("data", (data) => onData(socket, Buffer.from(data)));
	});
	await new Promise<void>((resolve) => server.listen(join(folder, "s"), resolve));
});

afterEach(async () => {
	for (const socket of connections) socket.destroy();
	server.close();
	await rm(folder, { recursive: true });
});

function connect(): EngineClient {
	return new EngineClient({ kind: "unix", path: join(folder, "s") });
}

/** Answers each request with `text`, in pieces of the given size with a turn of the event loop between them. */
function answer(text: string, pieceBytes = text.length): void {
	onData = async (socket) => {
		for (let at = 0; at < text.length; at += pieceBytes) {
			socket.write(text.slice(at, at + pieceBytes));
			await new Promise((resolve) => setImmediate(resolve));
		}
	};
}

const CHUNKED =
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n";

describe("EngineClient", () => {
	for (const pieceBytes of [1, 2, 7, 1000])
		test(`reads a chunked answer that comes in pieces of ${pieceBytes}, and uses the connection again`, async () => {
			answer(CHUNKED, pieceBytes);
			const client = connect();
			const texts = [
				await (await client.request("GET", "/a")).text(),
				await (await client.request("GET", "/b")).text(),
			];
			client.close();
			expect({ texts, connections: connections.length }).toEqual({
				texts: ["abc0123456789", "abc0123456789"],
				connections: 1,
			});
		});

	test("reads answers with a length, without a body, and up to the end of the connection", async () => {
		const client = connect();
		answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
		const sized = await (await client.request("GET", "/")).text();
		answer("HTTP/1.1 204 No Content\r\n\r\n");
		const empty = await client.send("POST", "/");
		onData = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end");
		const closed = await (await client.request("GET", "/")).text();
		client.close();
		expect({ sized, empty, closed }).toEqual({ sized: "hello", empty: 204, closed: "until the end" });
	});

	test("sends a stream chunked while the answer is already coming", async () => {
		let received = "";
		onData = (socket, data) => {
			received += data.toString();
			if (received.includes("HEAD /_ping") && !received.includes("PUT"))
				socket.write("HTTP/1.1 200 OK\r\nApi-Version: 1.50\r\nContent-Length: 0\r\n\r\n");
			if (received.endsWith("0\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		};
		const client = connect();
		const stream = (async function* () {
			yield Buffer.from("one");
			yield Buffer.from("two");
		})();
		await client.send("PUT", "/x", { stream });
		client.close();
		expect(received).toContain("PUT /v1.50/x HTTP/1.1");
		expect(received.endsWith("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")).toBe(true);
	});

	test("speaks an older version when the daemon asks for it", async () => {
		const targets: string[] = [];
		onData = (socket, data) => {
			const target = data.toString().split(" ")[1] ?? "";
			targets.push(target);
			const body = target.startsWith("/v1.44/")
				? "{}"
				: '{"message":"client version 1.51 is too new. Maximum supported API version is 1.44"}';
			const status = body === "{}" ? "200 OK" : "400 Bad Request";
			socket.write(`HTTP/1.1 ${status}\r\nApi-Version: 1.44\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
		};
		const client = connect();
		await client.json("GET", "/a");
		await client.json("GET", "/b");
		client.close();
		expect({ targets, version: client.apiVersion }).toEqual({
			targets: ["/v1.51/a", "/v1.44/a", "/v1.44/b"],
			version: "1.44",
		});
	});

	test("throws the daemon's message and status, and what is not JSON as it is", async () => {
		const client = connect();
		answer('HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{"message":"no such"}');
		await expect(client.request("GET", "/")).rejects.toEqual(new ApiError(404, "no such"));
		answer("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nproxy");
		await expect(client.request("GET", "/")).rejects.toEqual(new ApiError(502, "proxy"));
		client.close();
	});

	test("says so when there is no daemon, and when it goes away in the middle", async () => {
		const nowhere = new EngineClient({ kind: "unix", path: join(folder, "nowhere") });
		await expect(nowhere.request("GET", "/")).rejects.toBeInstanceOf(ConnectionError);
		const client = connect();
		onData = (socket) => socket.end();
		await expect(client.request("GET", "/")).rejects.toThrow("closed the connection without an answer");
		onData = (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
		const response = await client.request("GET", "/");
		await expect(response.text()).rejects.toThrow("in the middle of an answer");
		onData = (socket) => socket.end("SSH-2.0-OpenSSH\r\n\r\n");
		await expect(client.request("GET", "/")).rejects.toThrow("not HTTP");
		client.close();
	});

	test("hijacks a fresh connection, gives early bytes first, and half-closes it", async () => {
		const client = connect();
		answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		await client.send("GET", "/");
		let received = "";
		onData = (socket, data) => {
			received += data.toString();
			if (received.includes("Upgrade: tcp"))
				socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly");
			received = "";
			socket.once("end", () => socket.end("last"));
		};
		const channel = await client.hijack("/attach");
		const first = Buffer.from((await channel.read()) ?? []).toString();
		await channel.closeWrite();
		const second = Buffer.from((await channel.read()) ?? []).toString();
		expect({ first, second, end: await channel.read(), connections: connections.length }).toEqual({
			first: "early",
			second: "last",
			end: undefined,
			connections: 2,
		});
		client.close();
	});

	test("does not read faster than it is read from", async () => {
		const total = 64 * 1024 * 1024;
		let sent = 0;
		onData = (socket) => {
			socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
			const piece = Buffer.alloc(256 * 1024);
			const pump = () => {
				while (sent < total) {
					sent += piece.length;
					if (!socket.write(piece)) return;
				}
			};
			socket.on("drain", pump);
			pump();
		};
		const client = connect();
		const response = await client.request("GET", "/");
		await new Promise((resolve) => setTimeout(resolve, 200));
		const sentUnread = sent;
		let received = 0;
		for await (const bytes of response) received += bytes.length;
		client.close();
		expect(sentUnread).toBeLessThan(total / 4);
		expect(received).toBe(total);
	});
});

test("encodeQuery() leaves out what is false and repeats lists", () => {
	expect(encodeQuery({ a: true, b: false, c: undefined, d: ["x y", "z"], e: 0, f: "" })).toBe(
		"?a=1&d=x%20y&d=z&e=0&f=",
	);
});

test("jsonLines() takes values apart wherever the pieces end", async () => {
	const text = '{"a":1}\r\n\x1e{"a":"ü}"}\n{"a":3}';
	const bytes = Buffer.from(text);
	for (const size of [1, 3, 100]) {
		const source = (async function* () {
			for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
		})();
		const values: unknown[] = [];
		for await (const value of jsonLines(source)) values.push(value);
		expect(values).toEqual([{ a: 1 }, { a: "ü}" }, { a: 3 }]);
	}
});
