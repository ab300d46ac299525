// A client of BuildKit's API on Node's own HTTP/2, with protobuf written out by hand: it shares no code with what it is a peer of.
// node buildkit-peer.mjs SOCKET DIRECTORY SCENARIO; prints what it saw as JSON.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { join } from "node:path";

const [socketPath, directory, scenario] = process.argv.slice(2);

// Protobuf: varints and delimited fields are all there is.
const varint = (value) => {
	const bytes = [];
	let rest = BigInt.asUintN(64, BigInt(value));
	do {
		bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
		rest >>= 7n;
	} while (rest > 0n);
	return Buffer.from(bytes);
};
const field = (number, value) => {
	if (typeof value === "number" || typeof value === "bigint")
		return Buffer.concat([varint(number << 3), varint(value)]);
	const bytes = Buffer.from(value);
	return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
};
const message = (...fields) => Buffer.concat(fields);
const entry = (number, key, value) => field(number, message(field(1, key), field(2, value)));
/** Fields by number, each a list. */
const parse = (bytes) => {
	const fields = {};
	let at = 0;
	const next = () => {
		let value = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = bytes[at++];
			value |= BigInt(byte & 127) << shift;
			if (byte < 128) return value;
		}
	};
	while (at < bytes.length) {
		const tag = Number(next());
		const number = tag >> 3;
		fields[number] ??= [];
		if ((tag & 7) === 0) fields[number].push(Number(next()));
		else {
			const length = Number(next());
			fields[number].push(bytes.subarray(at, at + length));
			at += length;
		}
	}
	return fields;
};
const text = (bytes) => (bytes === undefined ? "" : bytes.toString());

const frame = (bytes) => {
	const head = Buffer.alloc(5);
	head.writeUInt32BE(bytes.length, 1);
	return Buffer.concat([head, bytes]);
};
const onMessages = (stream, take) => {
	let buffer = Buffer.alloc(0);
	stream.on("data", (piece) => {
		buffer = Buffer.concat([buffer, piece]);
		while (buffer.length >= 5 && buffer.length >= 5 + buffer.readUInt32BE(1)) {
			const end = 5 + buffer.readUInt32BE(1);
			take(buffer.subarray(5, end));
			buffer = buffer.subarray(end);
		}
	});
};

const upgrade = (path, headers) =>
	new Promise((resolve, reject) => {
		const request = http.request({
			socketPath,
			path,
			method: "POST",
			headers: { Connection: "Upgrade", Upgrade: "h2c", ...headers },
		});
		request.on("upgrade", (_response, socket, head) => {
			if (head.length > 0) socket.unshift(head);
			resolve(socket);
		});
		request.on("response", (response) => {
			response.on("data", (body) => reject(new Error(`${response.statusCode} ${body}`)));
		});
		request.on("error", reject);
		request.end();
	});

const asked = [];
const answers = {
	"/moby.filesync.v1.FileSync/DiffCopy": (stream, headers) => {
		const name = headers["dir-name"];
		const wanted = String(headers.followpaths ?? "")
			.split(", ")
			.filter((each) => each !== "");
		asked.push(`files of ${name}${wanted.length === 0 ? "" : `: ${wanted.join(" ")}`}`);
		const files = [];
		for (const path of readdirSync(directory).sort()) {
			if (wanted.length > 0 && !wanted.includes(path)) continue;
			const { size, mtimeNs } = lstatSync(join(directory, path), { bigint: true });
			const stat = message(field(1, path), field(2, 0o644), field(5, size), field(6, mtimeNs));
			stream.write(frame(message(field(2, stat))));
			files.push(path);
		}
		stream.write(frame(message()));
		onMessages(stream, (bytes) => {
			const { 1: [type = 0] = [], 3: [id = 0] = [] } = parse(bytes);
			if (type === 1) {
				asked.push(`contents of ${files[id]}`);
				const content =
					scenario === "liar" && files[id] === "file" ? Buffer.alloc(0) : readFileSync(join(directory, files[id]));
				// In pieces of an odd size.
				for (let at = 0; at < content.length; at += 1001)
					stream.write(frame(message(field(1, 2), field(3, id), field(4, content.subarray(at, at + 1001)))));
				stream.write(frame(message(field(1, 2), field(3, id))));
			}
			if (type === 3) {
				stream.write(frame(message(field(1, 3))));
				stream.end();
			}
		});
	},
	"/moby.buildkit.secrets.v1.Secrets/GetSecret": (stream) => {
		onMessages(stream, (bytes) => {
			asked.push(`secret ${text(parse(bytes)[1]?.[0])}`);
			stream.end(frame(message(field(1, "sesame"))));
		});
	},
};

const METHODS = Object.keys(answers);
const serve = (socket) => {
	const server = http2.createServer();
	server.on("stream", (stream, headers) => {
		stream.on("error", () => {});
		const answer = answers[headers[":path"]];
		stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
		stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": answer === undefined ? "12" : "0" }));
		if (answer === undefined) stream.end();
		else answer(stream, headers);
	});
	server.emit("connection", socket);
};

const call = (session, path, request, onMessage, headers = {}) =>
	new Promise((resolve) => {
		const stream = session.request({
			":method": "POST",
			":path": path,
			"content-type": "application/grpc",
			te: "trailers",
			...headers,
		});
		const messages = [];
		let status = {};
		const note = (trailers) => {
			if (trailers["grpc-status"] !== undefined)
				status = {
					code: Number(trailers["grpc-status"]),
					message: decodeURIComponent(trailers["grpc-message"] ?? ""),
					details: trailers["grpc-status-details-bin"] ?? "",
				};
		};
		stream.on("response", note);
		stream.on("trailers", note);
		onMessages(stream, (bytes) => {
			messages.push(bytes);
			onMessage?.(bytes, stream);
		});
		stream.on("error", () => {});
		stream.on("close", () => resolve({ messages, ...status }));
		stream.end(frame(request));
	});

const sessionId = `peer${process.pid}`;
const sessionSocket = await upgrade("/session", {
	"X-Docker-Expose-Session-Uuid": sessionId,
	"X-Docker-Expose-Session-Sharedkey": `peer ${directory}`,
	"X-Docker-Expose-Session-Grpc-Method": METHODS,
});
serve(sessionSocket);
const socket = await upgrade("/grpc", {});
const session = http2.connect("http://buildkit", { createConnection: () => socket });
const CONTROL = "/moby.buildkit.v1.Control";

const solveRequest = (ref, ...more) =>
	message(
		field(1, ref),
		field(5, sessionId),
		entry(7, "filename", "Dockerfile"),
		field(13, message(field(1, "moby"), entry(2, "name", "peer:1"))),
		...more,
	);
const frontend = field(6, "dockerfile.v0");

/** A build with its progress: names of its vertices, what was logged, errors. */
const build = async (ref, request, onLog) => {
	const names = new Set();
	const errors = [];
	let log = "";
	const watching = call(session, `${CONTROL}/Status`, field(1, ref), (bytes) => {
		const { 1: vertexes = [], 3: logs = [] } = parse(bytes);
		for (const vertex of vertexes.map(parse)) {
			names.add(text(vertex[3]?.[0]));
			if (vertex[7] !== undefined) errors.push(text(vertex[7][0]));
		}
		for (const each of logs.map(parse)) log += text(each[4]?.[0]);
		onLog?.(log);
	});
	const solved = await call(session, `${CONTROL}/Solve`, request);
	const status = await watching;
	const response = Object.fromEntries(
		solved.messages.flatMap((bytes) =>
			(parse(bytes)[1] ?? []).map(parse).map((each) => [text(each[1]?.[0]), text(each[2]?.[0])]),
		),
	);
	const { code, message: reason, details } = solved;
	const detail = Buffer.from(details, "base64");
	return { code, reason, detail: text(detail), response, names: [...names], errors, log, statusCode: status.code };
};

const SCENARIOS = {
	async build() {
		const info = await call(session, `${CONTROL}/Info`, message());
		const workers = await call(session, `${CONTROL}/ListWorkers`, message());
		const unknown = await call(session, `${CONTROL}/Nothing`, message());
		const malformed = await call(session, `${CONTROL}/Solve`, Buffer.from("ffffff", "hex"));
		const worker = parse(parse(workers.messages[0])[1][0]);
		return {
			version: text(parse(parse(info.messages[0])[1][0])[2]?.[0]),
			platforms: worker[3].map(parse).map((platform) => `${text(platform[2][0])}/${text(platform[1][0])}`),
			unknown: unknown.code,
			malformed: [malformed.code, malformed.message],
			built: await build("one", solveRequest("one", frontend)),
			again: await build("two", solveRequest("two", frontend)),
		};
	},
	/** `POST /build?version=2`, with the session's files or an archive in another request. */
	async request() {
		const ask = (query, body) =>
			new Promise((resolve) => {
				const path = `/build?${new URLSearchParams({ version: "2", ...query })}`;
				const request = http.request({
					socketPath,
					path,
					method: "POST",
					headers: { "Content-Type": "application/x-tar" },
				});
				request.on("response", async (response) => {
					let reply = "";
					for await (const piece of response) reply += piece;
					resolve(
						reply
							.split("\r\n")
							.filter((line) => line !== "")
							.map((line) => JSON.parse(line)),
					);
				});
				request.end(body);
			});
		const names = (lines) =>
			lines
				.filter(({ id }) => id === "moby.buildkit.trace")
				.flatMap(({ aux }) => (parse(Buffer.from(aux, "base64"))[1] ?? []).map((bytes) => text(parse(bytes)[3]?.[0])));
		const image = (lines) => lines.find(({ id }) => id === "moby.image.id")?.aux.ID;
		const files = await ask({ remote: "client-session", session: sessionId, t: "peer:2" });
		const archive = readFileSync(join(directory, "context.tar"));
		const building = ask({ remote: "upload-request", buildid: "b1", t: "peer:3" });
		const [, uploaded] = await Promise.all([ask({ buildid: "upload-request:b1" }, archive), building]);
		const quiet = await ask({ q: "1" }, archive);
		const failed = await ask({ remote: "client-session", t: "peer:4" });
		return { names: names(files), image: image(files), uploaded: image(uploaded), quiet, failed: failed.at(-1) };
	},
	/** A build that is over before anybody looks at it. */
	async late() {
		const solving = call(session, `${CONTROL}/Solve`, message(field(1, "late"), field(5, sessionId)));
		const headers = { "buildkit-controlapi-buildid": "late" };
		await call(session, "/moby.buildkit.v1.frontend.LLBBridge/Return", message(), undefined, headers);
		const solved = await solving;
		const status = await call(session, `${CONTROL}/Status`, field(1, "late"));
		return { code: solved.code, statusCode: status.code, asked: [] };
	},
	failure: () => build("fails", solveRequest("fails", frontend)),
	liar: () => build("liar", solveRequest("liar", frontend)),
	llb: () => build("llb", solveRequest("llb", field(2, field(1, field(3, field(1, "docker-image://busybox")))))),
	/** The session breaks while a step runs. */
	cut: () =>
		build("cut", solveRequest("cut", frontend), (log) => {
			if (log.includes("begun")) sessionSocket.destroy();
		}),
	/** The request is cancelled while a step runs. */
	async cancel() {
		const stream = session.request({
			":method": "POST",
			":path": `${CONTROL}/Solve`,
			"content-type": "application/grpc",
			te: "trailers",
		});
		stream.on("error", () => {});
		stream.end(frame(solveRequest("cancel", frontend)));
		const status = await call(session, `${CONTROL}/Status`, field(1, "cancel"), (bytes) => {
			if (text(bytes).includes("begun")) stream.close(http2.constants.NGHTTP2_CANCEL);
		});
		return { statusCode: status.code };
	},
};

const result = await SCENARIOS[scenario]();
console.log(JSON.stringify({ ...result, asked }));
process.exit(0);
