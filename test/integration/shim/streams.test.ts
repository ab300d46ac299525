import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { parseFrames, readAll, ShimFixture, shimProcesses, until } from "./fixture.ts";

const OUTPUT = { stdin: false, stdout: true, stderr: true };
const ALL = { stdin: true, stdout: true, stderr: true };

/** Collects text as it comes. */
function collect(stream: Duplex): { text: string } {
	const collected = { text: "" };
	stream.on("data", (data: Buffer) => {
		collected.text += data.toString("latin1");
	});
	return collected;
}

describe("streams of a task", () => {
	let fixture: ShimFixture;
	beforeAll(() => {
		fixture = new ShimFixture();
	});
	afterAll(() => fixture.close());

	test("a terminal gives raw bytes, has the asked size and can be resized", async () => {
		const consoleSize = { width: 91, height: 17 };
		const request = fixture.container(
			{ args: ["sh", "-c", "stty size; read line; stty size; echo got $line"], terminal: true, consoleSize },
			{ consoleSize, openStdin: true },
		);
		const task = await fixture.shims.launch(request);
		const attached = await task.attach(ALL);
		const output = collect(attached);
		await task.start();
		await until("first size", () => output.text.includes("17 91\r\n"));
		await task.resize(100, 40);
		attached.write("word\n");
		expect(await task.exited).toMatchObject({ exitCode: 0 });
		await until("end of output", () => attached.readableEnded);
		expect(output.text).toContain("40 100\r\n");
		expect(output.text).toContain("got word\r\n");
		await task.forget();
	});

	test("a task without a terminal refuses to be resized", async () => {
		const task = await fixture.shims.launch(fixture.container({ args: ["true"] }));
		expect(task.resize(1, 1)).rejects.toMatchObject({ kind: "system" });
		await task.forget();
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("every attached client gets the output it asked for", async () => {
		const task = await fixture.shims.launch(fixture.container({ args: ["sh", "-c", "echo a; echo b >&2"] }));
		const both = readAll(await task.attach(OUTPUT));
		const errors = readAll(await task.attach({ stdin: false, stdout: false, stderr: true }));
		await task.start();
		expect(parseFrames(await both).length).toBe(2);
		expect(parseFrames(await errors)).toEqual([{ stream: 2, text: "b\n" }]);
		await task.exited;
		expect((await readAll(await task.attach(OUTPUT))).length).toBe(0);
		await task.forget();
	});

	test("stdin stays open after a client went away unless it is stdin-once", async () => {
		const request = fixture.container({ args: ["head", "-n", "2"] }, { openStdin: true });
		const task = await fixture.shims.launch(request);
		await task.start();
		const first = await task.attach({ stdin: true, stdout: false, stderr: false });
		first.end("one\n");
		await until("the first client is served", () => first.writableFinished);
		const second = await task.attach(ALL);
		const output = readAll(second);
		second.write("two\n");
		await task.exited;
		expect((await output).toString("latin1")).toContain("two\n");
		await task.forget();
	});

	test("what several clients send at once arrives whole, also while the process does not read", async () => {
		const clients = 8;
		const share = 200_000;
		const args = ["sh", "-c", `read go < /gate; head -c ${clients * share} | tr -d '\\n' | wc -c`];
		const request = fixture.container({ args }, { openStdin: true });
		await Bun.spawn(["mkfifo", join(fixture.root, "rootfs/gate")]).exited;
		const task = await fixture.shims.launch(request);
		const output = readAll(await task.attach(OUTPUT));
		await task.start();
		const senders = await Promise.all(
			Array.from({ length: clients }, () => task.attach({ stdin: true, stdout: false, stderr: false })),
		);
		// All of it waits while the monitor stands still, so that it finds every client readable at once.
		const [monitor = 0] = shimProcesses(fixture.execRoot);
		process.kill(monitor, "SIGSTOP");
		const sent = senders.map((sender) => new Promise((resolve) => sender.write(Buffer.alloc(share, "x"), resolve)));
		process.kill(monitor, "SIGCONT");
		writeFileSync(join(fixture.root, "rootfs/gate"), "go\n");
		await Promise.all(sent);
		expect(await task.exited).toMatchObject({ exitCode: 0 });
		expect(parseFrames(await output)).toEqual([{ stream: 1, text: `${clients * share}\n` }]);
		await task.forget();
	}, 30_000);

	test("a client that takes nothing is cut off, and the container and the others go on", async () => {
		const request = fixture.container({ args: ["sh", "-c", "yes 0123456789 | head -c 20000000; echo done >&2"] });
		const task = await fixture.shims.launch(request);
		const slow = await task.attach(OUTPUT);
		slow.on("error", () => {});
		const fast = readAll(await task.attach(OUTPUT));
		await task.start();
		expect(await task.exited).toMatchObject({ exitCode: 0 });
		const frames = parseFrames(await fast);
		// Which of two pipes is read first is not said.
		const textOf = (stream: number) => frames.filter((frame) => frame.stream === stream).map(({ text }) => text);
		expect(textOf(1).join("").length).toBe(20_000_000);
		expect(textOf(2)).toEqual(["done\n"]);
		slow.destroy();
		await task.forget();
	}, 30_000);

	test("a slow client gets everything as long as it makes progress", async () => {
		const request = fixture.container({ args: ["sh", "-c", "yes 0123456789 | head -c 6000000"] });
		const task = await fixture.shims.launch(request);
		const attached = await task.attach(OUTPUT);
		await task.start();
		let received = 0;
		for await (const chunk of attached) {
			received += (chunk as Buffer).length;
			if (received % 7 === 0) await Bun.sleep(5);
		}
		expect(received).toBeGreaterThan(6_000_000);
		await task.exited;
		await task.forget();
	}, 30_000);

	test("an unprivileged user may open /dev/stdout again", async () => {
		const user = { uid: 1234, gid: 1234 };
		const script = "echo again > /proc/self/fd/1; echo error > /proc/self/fd/2";
		const request = fixture.container({ args: ["sh", "-c", script], user }, { streamOwner: user });
		const task = await fixture.shims.launch(request);
		const output = readAll(await task.attach(OUTPUT));
		await task.start();
		expect(parseFrames(await output)).toEqual([
			{ stream: 1, text: "again\n" },
			{ stream: 2, text: "error\n" },
		]);
		await task.exited;
		await task.forget();
	});

	test("stdin larger than the pipe arrives whole", async () => {
		const request = fixture.container({ args: ["sh", "-c", "sleep 0.2; cat"] }, { openStdin: true, stdinOnce: true });
		const task = await fixture.shims.launch(request);
		const attached = await task.attach(ALL);
		const output = readAll(attached);
		const input = Buffer.alloc(3_000_000, "abcdefgh\n");
		attached.end(input);
		await task.start();
		expect(parseFrames(await output)).toEqual([{ stream: 1, text: input.toString("latin1") }]);
		await task.exited;
		await task.forget();
	});

	test("the shim of an idle container stays under 1.5 MB", async () => {
		const task = await fixture.shims.launch(fixture.container({ args: ["sleep", "100"] }));
		await task.start();
		const [pid] = shimProcesses(fixture.execRoot);
		const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
		if (!process.env["GANTRY_TEST_SHIM"]?.includes("asan")) expect(Number(resident)).toBeLessThanOrEqual(1536);
		await task.kill(9);
		await task.exited;
		await task.forget();
	});
});
