import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { NotImplementedError } from "../../base/errors.ts";
import type { LogReadOptions } from "../../core/log/log-reader.ts";
import { LogFileReader } from "./log-file-reader.ts";

const PLAIN: LogReadOptions = {
	stdout: true,
	stderr: true,
	follow: false,
	timestamps: false,
	details: false,
	terminal: false,
};

let directory = "";
let path = "";
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "gantry-log-files-"));
	path = join(directory, "container.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

const jsonLine = (log: string, stream: "stdout" | "stderr" = "stdout", time = "2026-01-02T03:04:05.000000006Z") =>
	`${JSON.stringify({ log, stream, time })}\n`;

function localFrame(text: string, stream: 1 | 2 = 1, nanoseconds = 0n): Buffer {
	const payload = Buffer.from(text);
	const frame = Buffer.alloc(payload.length + 20);
	frame.writeUInt32LE(payload.length, 0);
	frame.set([stream, 0, 0x6c, 0x47], 4);
	frame.writeBigInt64LE(nanoseconds, 8);
	frame.set(payload, 16);
	frame.writeUInt32LE(payload.length, 16 + payload.length);
	return frame;
}

/** Frames as `[stream, text]`. */
function parseFrames(data: Buffer): [number, string][] {
	const frames: [number, string][] = [];
	for (let offset = 0; offset < data.length; ) {
		const length = data.readUInt32BE(offset + 4);
		frames.push([data[offset] ?? 0, data.toString("utf8", offset + 8, offset + 8 + length)]);
		offset += 8 + length;
	}
	return frames;
}

async function readAll(driver: string, options: Partial<LogReadOptions> = {}): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of new LogFileReader().read({ driver, path }, { ...PLAIN, ...options })) chunks.push(chunk);
	return Buffer.concat(chunks);
}

const openDescriptors = () => readdirSync("/proc/self/fd").length;

describe("json-file", () => {
	test("each line is a frame of its own and streams alternate in order", async () => {
		writeFileSync(path, jsonLine("a\n") + jsonLine("b\n") + jsonLine("e\n", "stderr") + jsonLine("c\n"));
		expect(parseFrames(await readAll("json-file"))).toEqual([
			[1, "a\n"],
			[1, "b\n"],
			[2, "e\n"],
			[1, "c\n"],
		]);
	});

	test("lines of one stream share frames once a thousand went out singly", async () => {
		writeFileSync(path, jsonLine("a\n").repeat(1500) + jsonLine("e\n", "stderr"));
		const frames = parseFrames(await readAll("json-file"));
		expect(frames.slice(0, 1000).every(([stream, text]) => stream === 1 && text === "a\n")).toBe(true);
		expect(frames.slice(1000)).toEqual([
			[1, "a\n".repeat(500)],
			[2, "e\n"],
		]);
	});

	test("streams that were not asked for are left out", async () => {
		writeFileSync(path, jsonLine("a\n") + jsonLine("e\n", "stderr"));
		expect(parseFrames(await readAll("json-file", { stdout: false }))).toEqual([[2, "e\n"]]);
	});

	test("every escape comes back as the byte it stood for", async () => {
		const text = 'quote " slash / back \\ tab \t bell \u0007 é \u2028 😀 \\n\\u0041 end\\\n';
		writeFileSync(
			path,
			`${jsonLine(text)}{"log":"\\u003c\\ud83d\\ude00\\u003e\\\\","stream":"stdout","time":"2026-01-02T03:04:05Z"}\n`,
		);
		expect((await readAll("json-file", { terminal: true })).toString()).toBe(`${text}<😀>\\`);
	});

	test("timestamps and details stand in front of each line", async () => {
		const line = { log: "x\n", stream: "stdout", attrs: { b: "1 2", a: "ü" }, time: "2026-01-02T03:04:05.12Z" };
		writeFileSync(path, `${JSON.stringify(line)}\n${jsonLine("y\n")}`);
		expect((await readAll("json-file", { terminal: true, timestamps: true, details: true })).toString()).toBe(
			"2026-01-02T03:04:05.120000000Z a=%C3%BC,b=1+2 x\n2026-01-02T03:04:05.000000006Z  y\n",
		);
	});

	test("since is inclusive and until stops the reading", async () => {
		const lines = [1, 2, 3, 4].map((second) => jsonLine(`${second}\n`, "stdout", `2026-01-01T00:00:0${second}Z`));
		writeFileSync(path, lines.join(""));
		const second = (count: number) => BigInt(Date.UTC(2026, 0, 1) / 1000 + count) * 1_000_000_000n;
		const shown = await readAll("json-file", { terminal: true, sinceNs: second(2), untilNs: second(3) });
		expect(shown.toString()).toBe("2\n3\n");
	});

	test("torn and foreign lines do not hide the others", async () => {
		const foreign = '{ "time": "2026-01-02T03:04:05+02:00", "stream": "stderr", "log": "f\\n" }\n';
		writeFileSync(path, `${jsonLine("a\n")}{"log":"torn","stre\n\n"text"\n${foreign}${jsonLine("b\n")}{"log":"unfin`);
		expect(parseFrames(await readAll("json-file"))).toEqual([
			[1, "a\n"],
			[2, "f\n"],
			[1, "b\n"],
		]);
	});

	test("rotated and gzipped files are read oldest first", async () => {
		writeFileSync(`${path}.2.gz`, gzipSync(jsonLine("1\n") + jsonLine("2\n")));
		writeFileSync(`${path}.1`, jsonLine("3\n"));
		writeFileSync(path, jsonLine("4\n"));
		expect((await readAll("json-file", { terminal: true })).toString()).toBe("1\n2\n3\n4\n");
	});

	test("a tail reaches back into rotated files", async () => {
		writeFileSync(`${path}.2.gz`, gzipSync(jsonLine("1\n") + jsonLine("2\n")));
		writeFileSync(`${path}.1`, jsonLine("3\n"));
		writeFileSync(path, jsonLine("4\n"));
		const shown = [];
		for (const tail of [0, 1, 2, 3, 9]) shown.push((await readAll("json-file", { terminal: true, tail })).toString());
		expect(shown).toEqual(["", "4\n", "3\n4\n", "2\n3\n4\n", "1\n2\n3\n4\n"]);
	});

	test("a tail finds its start across blocks", async () => {
		const lines = Array.from({ length: 5000 }, (_, index) => jsonLine(`${index} ${"x".repeat(index % 90)}\n`));
		writeFileSync(path, lines.join(""));
		const shown = (await readAll("json-file", { terminal: true, tail: 3000 })).toString().split("\n");
		expect([shown.length, shown[0]?.split(" ")[0], shown[2999]?.split(" ")[0]]).toEqual([3001, "2000", "4999"]);
	});

	test("a record longer than a block is read whole", async () => {
		const text = `${"é".repeat(1_500_000)}\n`;
		writeFileSync(path, jsonLine("a\n") + jsonLine(text));
		expect((await readAll("json-file", { terminal: true })).toString()).toBe(`a\n${text}`);
	});
});

describe("local", () => {
	test("frames are decoded, with timestamps once per line", async () => {
		const nanoseconds = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n + 7n;
		writeFileSync(path, Buffer.concat([localFrame("a\nb", 1, nanoseconds), localFrame("c\nd\n", 1, nanoseconds)]));
		const stamp = "2026-01-01T00:00:00.000000007Z";
		expect((await readAll("local", { terminal: true, timestamps: true })).toString()).toBe(
			`${stamp} a\n${stamp} bc\n${stamp} d\n`,
		);
	});

	test("a tail begins in the middle of a frame", async () => {
		writeFileSync(
			path,
			Buffer.concat([localFrame("a\nb\nc\n"), localFrame("d\n"), localFrame("e\nf\n").subarray(0, 9)]),
		);
		const shown = [];
		for (const tail of [0, 1, 3, 9]) shown.push((await readAll("local", { terminal: true, tail })).toString());
		expect(shown).toEqual(["", "d\n", "b\nc\nd\n", "a\nb\nc\nd\n"]);
	});

	test("a damaged file is an error, not a wrong answer", async () => {
		writeFileSync(path, Buffer.alloc(64, 7));
		expect(readAll("local")).rejects.toThrow("damaged");
	});
});

test("a log that does not exist is empty", async () => {
	expect(await readAll("json-file")).toEqual(Buffer.alloc(0));
});

test("the none driver cannot be read", () => {
	expect(() => new LogFileReader().read({ driver: "none", path }, PLAIN)).toThrow(NotImplementedError);
});

describe("follow", () => {
	function follow(options: Partial<LogReadOptions> = {}) {
		const ended = new AbortController();
		const stream = new LogFileReader().read(
			{ driver: "json-file", path },
			{ ...PLAIN, terminal: true, follow: true, ended: ended.signal, ...options },
		);
		let text = "";
		let wake = () => {};
		stream.on("data", (chunk: Buffer) => {
			text += chunk.toString();
			wake();
		});
		const until = async (wanted: string) => {
			while (text !== wanted) {
				if (!wanted.startsWith(text)) throw new Error(`unexpected output: ${text}`);
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
		};
		const finished = new Promise<string>((resolve, reject) => {
			stream.once("end", () => resolve(text));
			stream.once("error", reject);
		});
		return { stream, ended, until, finished };
	}

	test("new lines arrive and the end comes after the last byte", async () => {
		writeFileSync(path, jsonLine("1\n"));
		const { ended, until, finished } = follow();
		await until("1\n");
		appendFileSync(path, jsonLine("2\n").slice(0, 20));
		appendFileSync(path, jsonLine("2\n").slice(20));
		await until("1\n2\n");
		appendFileSync(path, jsonLine("3\n"));
		ended.abort();
		expect(await finished).toBe("1\n2\n3\n");
	});

	test("rotation loses and repeats nothing", async () => {
		const { ended, until, finished } = follow();
		let wanted = "";
		for (let round = 0; round < 5; round++) {
			writeFileSync(path, jsonLine(`${round}\n`));
			appendFileSync(path, jsonLine(`${round}b\n`));
			wanted += `${round}\n${round}b\n`;
			if (round % 2 === 0) await until(wanted);
			if (round > 0) renameSync(`${path}.1`, `${path}.2`);
			renameSync(path, `${path}.1`);
		}
		ended.abort();
		expect(await finished).toBe(wanted);
	});

	test("a file that is replaced without being kept is followed by name", async () => {
		writeFileSync(path, jsonLine("1\n"));
		const { ended, until, finished } = follow();
		await until("1\n");
		rmSync(path);
		writeFileSync(path, jsonLine("2\n"));
		await until("1\n2\n");
		ended.abort();
		expect(await finished).toBe("1\n2\n");
	});

	test("tail 0 shows only what comes", async () => {
		writeFileSync(path, jsonLine("old\n"));
		const { ended, until, finished, stream } = follow({ tail: 0 });
		await new Promise((resolve) => stream.once("resume", resolve));
		await Bun.sleep(50);
		appendFileSync(path, jsonLine("new\n"));
		await until("new\n");
		ended.abort();
		await finished;
	});

	test("until in the future ends the stream by itself", async () => {
		writeFileSync(path, jsonLine("1\n"));
		const { finished } = follow({ untilNs: BigInt(Date.now() + 100) * 1_000_000n });
		expect(await finished).toBe("1\n");
	});

	test("destroying the stream closes the files", async () => {
		writeFileSync(path, jsonLine("1\n"));
		const warm = follow();
		await warm.until("1\n");
		warm.stream.destroy();
		await Bun.sleep(50);
		const before = openDescriptors();
		const streams = Array.from({ length: 10 }, () => follow());
		for (const { until, stream } of streams) {
			await until("1\n");
			stream.destroy();
		}
		while (openDescriptors() > before) await Bun.sleep(10);
		expect(openDescriptors()).toBe(before);
	});
});

test("a reader that stops reading holds the reading back", async () => {
	const line = jsonLine(`${"x".repeat(99)}\n`);
	for (let part = 0; part < 20; part++) appendFileSync(path, line.repeat(10_000));
	const stream = new LogFileReader().read({ driver: "json-file", path }, { ...PLAIN, terminal: true });
	stream.read(0);
	await Bun.sleep(100);
	expect(stream.readableLength).toBeLessThan(4 * 1024 * 1024);
	let size = 0;
	for await (const chunk of stream) size += chunk.length;
	expect(size).toBe(20 * 10_000 * 100);
});
