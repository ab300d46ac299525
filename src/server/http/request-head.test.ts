import { describe, expect, test } from "bun:test";
import { ProtocolError } from "./protocol-error.ts";
import { bodyLength, findHeadEnd, isKeepAlive, MAX_HEAD_BYTES, parseRequestHead } from "./request-head.ts";

function parse(lines: readonly string[]) {
	return parseRequestHead(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
}

describe("parseRequestHead()", () => {
	test("reads method, target and fields", () => {
		const head = parse(["GET /v1.45/info?x=1 HTTP/1.1", "Host: docker", "X-Two: a", "x-two:  b "]);
		expect({ ...head, headers: Object.fromEntries(head.headers) }).toEqual({
			method: "GET",
			target: "/v1.45/info?x=1",
			httpMinor: 1,
			headers: { host: "docker", "x-two": "a, b" },
		});
	});

	test("takes the absolute form for the path in it", () => {
		expect(parse(["GET http://d/info HTTP/1.1", "Host: d"]).target).toBe("/info");
		expect(parse(["GET http://d HTTP/1.1", "Host: d"]).target).toBe("/");
	});

	const broken: [string, string[]][] = [
		["no HTTP", ["hello"]],
		["another version", ["GET / HTTP/2.0", "Host: d"]],
		["no host", ["GET / HTTP/1.1"]],
		["a blank before the colon", ["GET / HTTP/1.1", "Host : d"]],
		["a folded line", ["GET / HTTP/1.1", "Host: d", " more"]],
		["a bare line feed in a value", ["GET / HTTP/1.1", "Host: d\nX: y"]],
		["a NUL", ["GET / HTTP/1.1", "Host: d\0"]],
		["a field without colon", ["GET / HTTP/1.1", "Host: d", "nocolon"]],
	];
	for (const [name, lines] of broken) test(`refuses ${name}`, () => expect(() => parse(lines)).toThrow(ProtocolError));
});

describe("findHeadEnd()", () => {
	test("waits for the empty line", () => {
		expect(findHeadEnd(Buffer.from("GET / HTTP/1.1\r\n"))).toBeUndefined();
		expect(findHeadEnd(Buffer.from("GET / HTTP/1.1\r\n\r\nrest"))).toBe(18);
	});
	test("gives up on a head without end", () => {
		expect(() => findHeadEnd(Buffer.alloc(MAX_HEAD_BYTES + 1, 97))).toThrow(ProtocolError);
	});
});

describe("bodyLength()", () => {
	const of = (...fields: string[]) => bodyLength(parse(["POST / HTTP/1.1", "Host: d", ...fields]));
	test("is none without length, fixed or chunked", () => {
		expect(of()).toEqual({ kind: "none" });
		expect(of("Content-Length: 0")).toEqual({ kind: "none" });
		expect(of("Content-Length: 12")).toEqual({ kind: "fixed", sizeBytes: 12 });
		expect(of("Content-Length: 12", "Content-Length: 12")).toEqual({ kind: "fixed", sizeBytes: 12 });
		expect(of("Transfer-Encoding: Chunked")).toEqual({ kind: "chunked" });
	});
	const doubtful: string[][] = [
		["Content-Length: 1", "Transfer-Encoding: chunked"],
		["Content-Length: 1", "Content-Length: 2"],
		["Content-Length: -1"],
		["Content-Length: 1x"],
		["Transfer-Encoding: gzip, chunked"],
	];
	for (const fields of doubtful)
		test(`refuses ${fields.join(" with ")}`, () => expect(() => of(...fields)).toThrow(ProtocolError));
});

describe("isKeepAlive()", () => {
	test("follows the version and the Connection field", () => {
		expect(isKeepAlive(parse(["GET / HTTP/1.1", "Host: d"]))).toBe(true);
		expect(isKeepAlive(parse(["GET / HTTP/1.1", "Host: d", "Connection: Close"]))).toBe(false);
		expect(isKeepAlive(parse(["GET / HTTP/1.0"]))).toBe(false);
		expect(isKeepAlive(parse(["GET / HTTP/1.0", "Connection: keep-alive"]))).toBe(true);
	});
});
