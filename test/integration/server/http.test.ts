import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Readable } from "node:stream";
import {
	CancelledError,
	ConflictError,
	ForbiddenError,
	InvalidParameterError,
	NotFoundError,
	NotImplementedError,
	NotModifiedError,
	SystemError,
	UnauthorizedError,
	UnavailableError,
} from "../../../src/base/errors.ts";
import { startApi } from "../../support/api-server.ts";
import { fakeBackends } from "../../support/fake-backends.ts";

const JSON_HEADERS = { "Content-Type": "application/json" };
const version = { system: { version: () => ({ Version: "1" }) as never } };

describe("every reply", () => {
	test("_ping says OK with the negotiation headers", async () => {
		await using api = await startApi(fakeBackends({}));
		const response = await api.request("GET", "/_ping");
		expect(await response.text()).toBe("OK");
		const headers = [
			"api-version",
			"builder-version",
			"docker-experimental",
			"ostype",
			"server",
			"cache-control",
			"swarm",
		];
		expect(headers.map((name) => response.headers.get(name))).toEqual([
			"1.56",
			"2",
			"false",
			"linux",
			"Docker/test (linux)",
			"no-cache, no-store, must-revalidate",
			"inactive",
		]);
		const head = await api.request("HEAD", "/_ping");
		expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "0", ""]);
	});

	test("an unknown path or method is 404 without those headers", async () => {
		await using api = await startApi(fakeBackends({}));
		for (const [method, path] of [
			["GET", "/nosuch"],
			["PUT", "/containers/json"],
			["POST", "/_ping"],
			["GET", "/v1.45"],
		] as const) {
			const response = await api.request(method, path);
			expect([response.status, await response.json(), response.headers.get("api-version")]).toEqual([
				404,
				{ message: "page not found" },
				null,
			]);
		}
	});

	const versions: [string, number, string | undefined][] = [
		["/v1.24/version", 200, undefined],
		["/v1.56/version", 200, undefined],
		["/version", 200, undefined],
		["/v1.57/version", 400, "client version 1.57 is too new. Maximum supported API version is 1.56"],
		["/v2.0/version", 400, "client version 2.0 is too new. Maximum supported API version is 1.56"],
		[
			"/v1.23/version",
			400,
			"client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
		],
		[
			"/v0.9/version",
			400,
			"client version 0.9 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
		],
	];
	for (const [path, status, message] of versions)
		test(`${path} answers ${status}`, async () => {
			await using api = await startApi(fakeBackends(version));
			const response = await api.request("GET", path);
			expect([response.status, ((await response.json()) as { message?: string }).message]).toEqual([status, message]);
		});

	const errors: [Error, number][] = [
		[new InvalidParameterError("x"), 400],
		[new UnauthorizedError("x"), 401],
		[new ForbiddenError("x"), 403],
		[new NotFoundError("x"), 404],
		[new ConflictError("x"), 409],
		[new NotImplementedError("x"), 501],
		[new UnavailableError("x"), 503],
		[new SystemError("x"), 500],
		[new Error("x"), 500],
		[new Error("x", { cause: new NotFoundError("inner") }), 404],
	];
	for (const [error, status] of errors)
		test(`${error.name}${error.cause === undefined ? "" : " around NotFoundError"} answers ${status}`, async () => {
			const inspect = () => Promise.reject(error);
			await using api = await startApi(fakeBackends({ views: { inspect } }));
			const response = await api.request("GET", "/containers/a/json");
			expect([response.status, await response.json()]).toEqual([status, { message: "x" }]);
		});

	test("NotModifiedError answers 304 without a body", async () => {
		const start = () => Promise.reject(new NotModifiedError("runs"));
		await using api = await startApi(fakeBackends({ containers: { start } }));
		const response = await api.request("POST", "/containers/a/start");
		expect([response.status, await response.text()]).toEqual([304, ""]);
	});

	test("a cancelled request cuts the connection", async () => {
		const inspect = () => Promise.reject(new CancelledError());
		await using api = await startApi(fakeBackends({ views: { inspect } }));
		using connection = await api.open();
		connection.sendHead("GET /containers/a/json");
		expect(await connection.readToEnd()).toBe("");
	});
});

describe("JSON bodies", () => {
	const bodies: [string, string | undefined, Record<string, string>, string][] = [
		["no body", undefined, {}, "invalid JSON: got EOF while reading request body"],
		[
			"another type",
			"{}",
			{ "Content-Type": "text/plain" },
			"unsupported Content-Type header (text/plain): must be 'application/json'",
		],
		["broken JSON", "{bad", JSON_HEADERS, "invalid JSON: "],
		["an unfinished document", '{"Cmd":', JSON_HEADERS, "invalid JSON: unexpected EOF"],
		["a second document", '{"Image":"x"}{}', JSON_HEADERS, "unexpected content after JSON"],
		["blanks", "  \n", JSON_HEADERS, "invalid JSON: got EOF while reading request body"],
		["a wrong type", '{"Tty":1}', JSON_HEADERS, "invalid JSON: field Tty is a number, but must be a boolean"],
	];
	for (const [name, body, headers, message] of bodies)
		test(`${name} is refused`, async () => {
			await using api = await startApi(fakeBackends({}));
			const response = await api.request("POST", "/containers/create", {
				headers,
				...(body === undefined ? {} : { body }),
			});
			expect(response.status).toBe(400);
			expect(((await response.json()) as { message: string }).message).toStartWith(message);
		});

	test("one too large is refused, and the connection lets go", async () => {
		await using api = await startApi(fakeBackends({}));
		const body = `{"Image":"${"x".repeat(9 * 1024 * 1024)}"}`;
		const response = await api.request("POST", "/containers/create", { headers: JSON_HEADERS, body });
		expect([response.status, await response.json()]).toEqual([400, { message: "http: request body too large" }]);
	});

	test("reaches the backend canonically, with name, platform and version", async () => {
		const calls: unknown[] = [];
		const create = async (...call: unknown[]) => {
			calls.push(call);
			return { Id: "abc", Warnings: [] };
		};
		await using api = await startApi(fakeBackends({ containers: { create } }));
		const response = await api.request("POST", "/v1.45/containers/create?name=n&platform=linux%2Famd64", {
			headers: { "Content-Type": "application/json; charset=utf-8" },
			body: '{"image":"busybox","Cmd":"ls"}',
		});
		expect([response.status, await response.json(), calls]).toEqual([
			201,
			{ Id: "abc", Warnings: [] },
			[
				[
					{ Image: "busybox", Cmd: ["ls"] },
					{ name: "n", platform: "linux/amd64", version: { major: 1, minor: 45 } },
				],
			],
		]);
	});
});

describe("connections", () => {
	test("serve pipelined requests in order", async () => {
		const inspect = async (name: string) => {
			await Bun.sleep(name === "a" ? 20 : 0);
			return { Id: name } as never;
		};
		await using api = await startApi(fakeBackends({ views: { inspect } }));
		using connection = await api.open();
		for (const name of ["a", "b", "c"]) connection.sendHead(`GET /containers/${name}/json`);
		const answers: string[] = [];
		for (let count = 0; count < 3; count++) answers.push((await connection.readUntil('"}\n')).slice(-11));
		expect(answers).toEqual(['{"Id":"a"}\n', '{"Id":"b"}\n', '{"Id":"c"}\n']);
	});

	test("take a head that arrives byte by byte", async () => {
		await using api = await startApi(fakeBackends({}));
		using connection = await api.open();
		for (const character of "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n") {
			connection.send(character);
			await Bun.sleep(0);
		}
		expect(await connection.readUntil("\r\n\r\nOK")).toStartWith("HTTP/1.1 200 OK\r\n");
	});

	test("end after HTTP/1.0 and after Connection: close", async () => {
		await using api = await startApi(fakeBackends({}));
		for (const head of ["GET /_ping HTTP/1.0\r\n\r\n", "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"]) {
			using connection = await api.open();
			connection.send(head);
			expect(await connection.readToEnd()).toEndWith("\r\n\r\nOK");
		}
	});

	const nonsense: [string, string][] = [
		["hello\r\n\r\n", "400"],
		["GET / HTTP/1.1\r\n\r\n", "400"],
		["POST / HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"],
		[`GET / HTTP/1.1\r\nX: ${"x".repeat(1_100_000)}`, "431"],
	];
	for (const [bytes, status] of nonsense)
		test(`answer ${status} to ${JSON.stringify(bytes.slice(0, 30))} and end`, async () => {
			await using api = await startApi(fakeBackends({}));
			using connection = await api.open();
			connection.send(bytes);
			expect(await connection.readToEnd()).toStartWith(`HTTP/1.1 ${status} `);
		});

	test("answer a refused upload without reading it", async () => {
		const write = () => Promise.reject(new NotFoundError("No such container: a"));
		await using api = await startApi(fakeBackends({ files: { write } }));
		using connection = await api.open();
		connection.sendHead("PUT /containers/a/archive?path=/", ["Content-Length: 1000000000"]);
		connection.send(new Uint8Array(100_000));
		expect(await connection.readToEnd()).toContain('{"message":"No such container: a"}');
	});

	test("say 100 Continue when the body is wanted, and only then", async () => {
		const write = async (name: string, _path: string, tar: Readable) => {
			if (name === "b") throw new NotFoundError("no");
			for await (const _part of tar);
		};
		await using api = await startApi(fakeBackends({ files: { write } }));
		for (const [name, answer] of [
			["a", "HTTP/1.1 100 Continue\r\n\r\n"],
			["b", "HTTP/1.1 404 Not Found\r\n"],
		] as const) {
			using connection = await api.open();
			connection.sendHead(`PUT /containers/${name}/archive?path=/`, ["Content-Length: 2", "Expect: 100-continue"]);
			expect(await connection.readUntil("\r\n\r\n")).toStartWith(answer);
			connection.send("hi");
			if (name === "a") expect(await connection.readUntil("\r\n\r\n")).toStartWith("HTTP/1.1 200 OK\r\n");
		}
	});

	test("an upload cut short fails in the backend", async () => {
		const { promise, resolve } = Promise.withResolvers<string>();
		const write = async (_name: string, _path: string, tar: Readable) => {
			try {
				for await (const _part of tar);
				resolve("complete");
			} catch (error) {
				resolve(String(error));
				throw error;
			}
		};
		await using api = await startApi(fakeBackends({ files: { write } }));
		const connection = await api.open();
		connection.sendHead("PUT /containers/a/archive?path=/", ["Content-Length: 100"]);
		connection.send("only this");
		await Bun.sleep(20);
		connection.socket.destroy();
		expect(await promise).toContain("unexpected EOF");
	});

	test("a client that leaves aborts its request's signal", async () => {
		const { promise, resolve } = Promise.withResolvers<string>();
		const wait = async (_name: string, _condition: string, signal: AbortSignal) => {
			signal.addEventListener("abort", () => resolve("aborted"));
			return { result: new Promise<never>(() => {}) };
		};
		await using api = await startApi(fakeBackends({ containers: { wait } }));
		const connection = await api.open();
		connection.sendHead("POST /containers/a/wait");
		await connection.readUntil("\r\n\r\n");
		connection.socket.destroy();
		expect(await promise).toBe("aborted");
	});

	test("leave no descriptor behind", async () => {
		const count = () => readdirSync("/proc/self/fd").length;
		await using api = await startApi(fakeBackends(version));
		await (await api.request("GET", "/version")).text();
		const before = count();
		for (let index = 0; index < 50; index++) {
			using connection = await api.open();
			connection.sendHead("GET /version", index % 2 === 0 ? ["Connection: close"] : []);
			await connection.readUntil("}\n");
		}
		await Bun.sleep(50);
		expect(count()).toBeLessThanOrEqual(before + 1);
	});
});

describe("close()", () => {
	test("lets the request in hand finish and cuts streams", async () => {
		const { promise, resolve } = Promise.withResolvers<void>();
		const inspect = async () => {
			await promise;
			return { Id: "late" } as never;
		};
		const logs = async () => ({ terminal: false, stream: new Readable({ read() {} }) });
		const api = await startApi(fakeBackends({ views: { inspect }, streams: { logs } }));
		using request = await api.open();
		request.sendHead("GET /containers/a/json");
		using stream = await api.open();
		stream.sendHead("GET /containers/a/logs?stdout=1&follow=1");
		await stream.readUntil("\r\n\r\n");
		using idle = await api.open();
		await Bun.sleep(20);
		const closed = api.close(5000);
		expect(await idle.readToEnd()).toBe("");
		resolve();
		expect(await request.readToEnd()).toContain('{"Id":"late"}');
		expect(await stream.readToEnd()).not.toContain("\r\n0\r\n");
		await closed;
		await api[Symbol.asyncDispose]();
	});
});

describe("streams", () => {
	test("an archive's chunks are given back when they are sent, whoever else waits", async () => {
		const chunks = Array.from({ length: 40 }, (_, index) => Buffer.from(new Uint8Array(300_000).fill(index).buffer));
		const small = Buffer.from("the end");
		const save = async () => Readable.from([...chunks, small], { objectMode: false, highWaterMark: 1 << 16 });
		await using api = await startApi(fakeBackends({ images: { save } }));
		const response = await api.request("GET", "/images/any/get");
		const body = Buffer.from(await response.arrayBuffer());
		const expected = Buffer.concat([...chunks.map((_, index) => Buffer.alloc(300_000, index)), small]);
		expect(body.equals(expected)).toBe(true);
		expect(chunks.filter(({ buffer }) => buffer.byteLength > 0)).toEqual([]);
		expect(small.toString()).toBe("the end");
	});

	test("wait sends its head at once and the result when it is there", async () => {
		const { promise, resolve } = Promise.withResolvers<{ StatusCode: number }>();
		const wait = async () => ({ result: promise });
		await using api = await startApi(fakeBackends({ containers: { wait } }));
		using connection = await api.open();
		connection.sendHead("POST /v1.45/containers/a/wait?condition=next-exit");
		expect(await connection.readUntil("\r\n\r\n")).toContain("Transfer-Encoding: chunked\r\n");
		resolve({ StatusCode: 7 });
		expect(await connection.readUntil("0\r\n\r\n")).toBe('11\r\n{"StatusCode":7}\n\r\n0\r\n\r\n');
	});

	test("wait refuses unknown conditions", async () => {
		await using api = await startApi(fakeBackends({}));
		const response = await api.request("POST", "/containers/a/wait?condition=foo");
		expect([response.status, await response.json()]).toEqual([400, { message: 'invalid condition: "foo"' }]);
	});

	test("events go out one a line, nanoseconds in full, until the client leaves", async () => {
		const { promise, resolve } = Promise.withResolvers<void>();
		async function* events(_options: unknown, signal: AbortSignal) {
			signal.addEventListener("abort", () => resolve());
			yield { Type: "container", status: "start", timeNano: 1_234_567_890_123_456_789n } as never;
			await new Promise(() => {});
		}
		await using api = await startApi(fakeBackends({ system: { events } }));
		const connection = await api.open();
		connection.sendHead("GET /v1.45/events");
		const text = await connection.readUntil("}\n");
		expect(text).toEndWith('{"Type":"container","status":"start","timeNano":1234567890123456789}\n');
		connection.socket.destroy();
		await promise;
	});

	test("lines that come at once are chunks of their own, as clients take a chunk for a line; a failure comes after all of them", async () => {
		const count = 150;
		async function* build() {
			for (let number = 0; number < count; number++) yield { stream: `${number}\n` };
			throw new SystemError("over");
		}
		await using api = await startApi(fakeBackends({ builds: { build } }));
		using connection = await api.open();
		connection.sendHead("POST /v1.45/build");
		await connection.readUntil("\r\n\r\n");
		const text = await connection.readUntil("\r\n0\r\n\r\n");
		const lines = [...Array.from({ length: count }, (_, number) => ({ stream: `${number}\n` })), failureLine("over")];
		const chunks = lines.map((line) => `${JSON.stringify(line)}\r\n`);
		expect(text).toBe(`${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`);
	});

	test("events since API 1.52 have no old fields", async () => {
		async function* events() {
			yield { Type: "container", status: "start", id: "i", from: "f", timeNano: 1n } as never;
		}
		await using api = await startApi(fakeBackends({ system: { events } }));
		expect(await (await api.request("GET", "/v1.52/events")).text()).toBe('{"Type":"container","timeNano":1}\n');
	});

	test("a refused event filter is a plain error", async () => {
		// biome-ignore lint/correctness/useYield: it fails before it has anything to yield
		async function* events(): AsyncGenerator<never> {
			throw new InvalidParameterError("invalid filter 'x'");
		}
		await using api = await startApi(fakeBackends({ system: { events } }));
		const response = await api.request("GET", "/events");
		expect([response.status, await response.json()]).toEqual([400, { message: "invalid filter 'x'" }]);
	});

	test("progress fails plainly before its first line and in the stream after it; load always in the stream", async () => {
		async function* load(archive: Readable) {
			let size = 0;
			for await (const part of archive) size += part.length;
			if (size === 0) throw new InvalidParameterError("empty archive");
			yield { stream: `${size}` };
			throw new SystemError("disk full");
		}
		await using api = await startApi(fakeBackends({ images: { load, import: load } }));
		const loaded = await api.request("POST", "/images/load", { body: "" });
		expect([loaded.status, await loaded.text()]).toEqual([
			200,
			'{"errorDetail":{"message":"empty archive"},"error":"empty archive"}\r\n',
		]);
		const early = await api.request("POST", "/images/create?fromSrc=-", { body: "" });
		expect([early.status, await early.json()]).toEqual([400, { message: "empty archive" }]);
		const late = await api.request("POST", "/images/create?fromSrc=-", { body: "abc" });
		expect([late.status, await late.text()]).toEqual([
			200,
			'{"stream":"3"}\r\n{"errorDetail":{"message":"disk full"},"error":"disk full"}\r\n',
		]);
	});

	test("logs tell their framing by version and terminal", async () => {
		const logs = async (name: string) => ({ terminal: name === "tty", stream: Readable.from([Buffer.from("text")]) });
		await using api = await startApi(fakeBackends({ streams: { logs } }));
		for (const [path, type] of [
			["/v1.42/containers/a/logs?stdout=1", "application/vnd.docker.multiplexed-stream"],
			["/v1.41/containers/a/logs?stdout=1", "application/vnd.docker.raw-stream"],
			["/v1.42/containers/tty/logs?stderr=1", "application/vnd.docker.raw-stream"],
		] as const) {
			const response = await api.request("GET", path);
			expect([response.headers.get("content-type"), await response.text()]).toEqual([type, "text"]);
		}
		const none = await api.request("GET", "/containers/a/logs");
		expect([none.status, await none.json()]).toEqual([
			400,
			{ message: "Bad parameters: you must choose at least one stream" },
		]);
	});

	test("a log that fails half way cuts the connection instead of ending well", async () => {
		const logs = async () => ({
			terminal: false,
			stream: Readable.from(
				(async function* () {
					yield Buffer.from("some");
					throw new SystemError("disk error");
				})(),
			),
		});
		await using api = await startApi(fakeBackends({ streams: { logs } }));
		using connection = await api.open();
		connection.sendHead("GET /containers/a/logs?stdout=1");
		const text = await connection.readToEnd();
		expect(text).toContain("some");
		expect(text).not.toContain("\r\n0\r\n\r\n");
	});

	test("a client that does not read holds the source back", async () => {
		let produced = 0;
		const logs = async () => ({
			terminal: false,
			stream: new Readable({
				read() {
					produced += 65_536;
					this.push(Buffer.alloc(65_536));
				},
			}),
		});
		await using api = await startApi(fakeBackends({ streams: { logs } }));
		using connection = await api.open();
		connection.socket.pause();
		connection.sendHead("GET /containers/a/logs?stdout=1");
		await Bun.sleep(300);
		const stalledAt = produced;
		await Bun.sleep(100);
		expect([produced, produced < 16 * 1024 * 1024]).toEqual([stalledAt, true]);
	});
});

describe("slow clients", () => {
	test("get all of a large last reply, however long they take", async () => {
		const Name = "x".repeat(8 * 1024 ** 2);
		await using api = await startApi(fakeBackends({ views: { inspect: async () => ({ Name }) as never } }));
		using connection = await api.open();
		connection.socket.pause();
		connection.sendHead("GET /containers/a/json", ["Connection: close"]);
		// Longer than the connection lingers for what the client may still send.
		await Bun.sleep(1500);
		connection.socket.resume();
		expect((await connection.readToEnd()).length).toBeGreaterThan(Name.length);
	});

	test("that ask without reading are not asked for more", async () => {
		const Name = "x".repeat(1024 ** 2);
		let served = 0;
		const inspect = async () => {
			served++;
			return { Name } as never;
		};
		await using api = await startApi(fakeBackends({ views: { inspect } }));
		using connection = await api.open();
		connection.socket.pause();
		for (let count = 0; count < 100; count++) connection.sendHead("GET /containers/a/json");
		await Bun.sleep(200);
		expect(served).toBeLessThan(10);
		connection.socket.resume();
		for (let count = 0; count < 100; count++) await connection.readUntil('"}\n');
		expect(served).toBe(100);
	});
});

function failureLine(message: string) {
	return { errorDetail: { message }, error: message };
}
