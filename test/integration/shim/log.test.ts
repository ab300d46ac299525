import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { ContainerTaskRequest, LogSink } from "../../../src/core/container/runtime.ts";
import { ShimFixture } from "./fixture.ts";

describe("log files", () => {
	let fixture: ShimFixture;
	beforeAll(() => {
		fixture = new ShimFixture();
	});
	afterAll(() => fixture.close());

	async function run(script: string, log: Partial<LogSink>, request?: ContainerTaskRequest): Promise<string> {
		const base = request ?? fixture.container({ args: ["sh", "-c", script] });
		const path = fixture.logPath(base.id);
		const sink = { kind: "json-file", path, maxSizeBytes: 0, maxFiles: 1, compress: false, ...log } as LogSink;
		const task = await fixture.shims.launch({ ...base, log: sink });
		await task.start();
		await task.exited;
		await task.forget();
		return path;
	}

	const jsonLines = (path: string) =>
		readFileSync(path, "utf8")
			.trimEnd()
			.split("\n")
			.map((line) => JSON.parse(line));

	test("json-file has Docker's form to the byte", async () => {
		const script = String.raw`printf 'tab\ttab \001\177 <&> "\\\377\342\200\250\303\251\n'; printf part; sleep 0.05; printf 'end\n\rz\n'; printf nolf`;
		const path = await run(script, { attributes: { b: "<", a: 'x"' } });
		const text = readFileSync(path, "utf8");
		expect(text.replace(/"time":"[^"]*"/g, '"time":""').split("\n")).toEqual(
			[
				String.raw`{"log":"tab\u0009tab \u0001${"\x7f"} \u003c\u0026\u003e \"\\\ufffd\u2028${"\xe9"}\n"`,
				String.raw`{"log":"partend\n"`,
				String.raw`{"log":"\rz\n"`,
				`{"log":"nolf"`,
			]
				.map((start) => String.raw`${start},"stream":"stdout","attrs":{"a":"x\"","b":"\u003c"},"time":""}`)
				.concat(""),
		);
		for (const line of jsonLines(path)) {
			expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
			expect(Math.abs(Date.parse(line.time) - Date.now())).toBeLessThan(60_000);
		}
	});

	test("json-file cuts long lines at 16 KiB and gives the pieces one time", async () => {
		const path = await run(
			"head -c 40000 /dev/zero | sed 's/./x/g'; echo; head -c 16384 /dev/zero | tr '\\0' y; echo",
			{},
		);
		const lines = jsonLines(path);
		const joined = lines.map((line) => line.log).join("");
		expect(lines.every((line) => line.log.length <= 16385)).toBe(true);
		expect(joined.endsWith(`${"y".repeat(16384)}\n`)).toBe(true);
		expect(lines.at(-1)?.log).toBe("\n");
		expect(lines.at(-1)?.time).toBe(lines.at(-2)?.time);
	});

	test("json-file rotates by size and keeps the asked number of files", async () => {
		const path = await run("seq 1 2000", { maxSizeBytes: 20_000, maxFiles: 3 });
		expect([0, 1, 2, 3].map((n) => existsSync(n === 0 ? path : `${path}.${n}`))).toEqual([true, true, true, false]);
		for (const name of [path, `${path}.1`, `${path}.2`]) expect(statSync(name).size).toBeLessThanOrEqual(20_000);
		const numbers = [`${path}.2`, `${path}.1`, path].flatMap(jsonLines).map((line) => Number(line.log));
		expect(numbers.at(-1)).toBe(2000);
		expect(numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1)).toBe(true);
	});

	test("rotated files are compressed when asked for, and nothing is lost", async () => {
		const request = fixture.container({
			args: ["sh", "-c", "seq 1 500; sleep 0.3; seq 501 1000; sleep 0.3; seq 1001 1010"],
		});
		const path = await run("", { maxSizeBytes: 30_000, maxFiles: 5, compress: true }, request);
		const names = [4, 3, 2, 1].map((number) => `${path}.${number}.gz`).filter((name) => existsSync(name));
		expect(names.length).toBeGreaterThan(1);
		const rotated = names.map((name) => gunzipSync(readFileSync(name)).toString());
		const text = rotated.concat(readFileSync(path, "utf8")).join("");
		const numbers = text
			.trimEnd()
			.split("\n")
			.map((line) => Number(JSON.parse(line).log));
		expect(numbers).toEqual(Array.from({ length: 1010 }, (_, index) => index + 1));
	});

	test("local holds one record for each read, and both ends tell its length", async () => {
		const path = await run("printf 'one\\n'; sleep 0.05; echo two >&2; sleep 0.05; printf three", { kind: "local" });
		const data = readFileSync(path);
		const records: unknown[] = [];
		for (let offset = 0; offset < data.length; ) {
			const length = data.readUInt32LE(offset);
			expect(data.readUInt16LE(offset + 6)).toBe(0x476c);
			expect(data.readUInt32LE(offset + 16 + length)).toBe(length);
			expect(Math.abs(Number(data.readBigInt64LE(offset + 8) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
			records.push([data.readUInt8(offset + 4), data.toString("utf8", offset + 16, offset + 16 + length)]);
			offset += 20 + length;
		}
		expect(records).toEqual([
			[1, "one\n"],
			[2, "two\n"],
			[1, "three"],
		]);
	});

	for (const kind of ["json-file", "local"] as const)
		test(`${kind} goes on after what a crash left half written`, async () => {
			const request = fixture.container({ args: ["echo", "line"] });
			const path = await run("", { kind }, request);
			const whole = readFileSync(path);
			appendFileSync(path, whole.subarray(0, whole.length - 5));
			await fixture.shims.delete(fixture.runtime, request.id);
			await run("", { kind }, request);
			const text = readFileSync(path, "latin1");
			expect(statSync(path).size).toBeLessThanOrEqual(2 * whole.length + 2);
			expect(text.split("line\\n").length + text.split("line\n").length).toBe(4);
		});

	test("a full disk does not stop the container", async () => {
		const request = fixture.container({ args: ["sh", "-c", "seq 1 100000; exit 4"] });
		const log: LogSink = { kind: "json-file", path: "/dev/full", maxSizeBytes: 0, maxFiles: 1, compress: false };
		const task = await fixture.shims.launch({ ...request, log });
		await task.start();
		expect(await task.exited).toMatchObject({ exitCode: 4 });
		await task.forget();
	});

	test("a log that can't be opened fails the launch and leaves nothing", async () => {
		const log: LogSink = { kind: "json-file", path: "/nosuch/log", maxSizeBytes: 0, maxFiles: 1, compress: false };
		const launch = fixture.shims.launch({ ...fixture.container({ args: ["true"] }), log });
		expect(launch).rejects.toMatchObject({ kind: "system", message: expect.stringContaining("/nosuch/log") });
		await launch.catch(() => {});
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("an out-of-memory kill is told while it happens and at the end", async () => {
		const request = fixture.container({ args: ["sh", "-c", "tail /dev/zero"] });
		const task = await fixture.shims.launch(request);
		let told = 0;
		task.onOutOfMemory(() => told++);
		await task.start();
		expect(await task.exited).toMatchObject({ exitCode: 137, oomKilled: true });
		expect(told).toBeGreaterThan(0);
		await task.forget();
	});
});
