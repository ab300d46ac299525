import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AdoptedTask } from "../../../src/core/container/runtime.ts";
import { parseFrames, readAll, ShimFixture, shimProcesses, until } from "./fixture.ts";

const OUTPUT = { stdin: false, stdout: true, stderr: true };

describe("adoption", () => {
	let fixture: ShimFixture;
	beforeAll(() => {
		fixture = new ShimFixture();
	});
	afterAll(() => fixture.close());

	/** Launches (and starts) in another process that is then killed without warning. */
	async function launchAndDie(request: unknown, start: boolean): Promise<void> {
		const daemon = Bun.spawn([process.execPath, join(import.meta.dir, "doomed-daemon.ts")], {
			stdin: new Blob([JSON.stringify({ execRoot: fixture.execRoot, request, start })]),
			stdout: "pipe",
			stderr: "inherit",
		});
		await daemon.stdout.getReader().read();
		daemon.kill("SIGKILL");
		await daemon.exited;
	}

	test("a container goes on, keeps logging and can be found again after the daemon was killed", async () => {
		const request = fixture.container(
			{ args: ["sh", "-c", "echo before; read word; echo $word; exit 7"] },
			{ openStdin: true },
		);
		const log = {
			kind: "json-file",
			path: fixture.logPath(request.id),
			maxSizeBytes: 0,
			maxFiles: 1,
			compress: false,
		} as const;
		await launchAndDie({ ...request, log }, true);
		const adopted = await fixture.newRuntime().adopt(request.id);
		if (adopted.kind !== "running") throw new Error(`adopted as ${adopted.kind}`);
		expect(adopted.task.pid).toBeGreaterThan(1);
		const attached = await adopted.task.attach({ ...OUTPUT, stdin: true });
		const output = readAll(attached);
		attached.write("after\n");
		expect(await adopted.task.exited).toMatchObject({ exitCode: 7 });
		expect(parseFrames(await output).at(-1)?.text).toContain("after\n");
		const lines = readFileSync(log.path, "utf8")
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line).log);
		expect(lines).toEqual(["before\n", "after\n"]);
		await adopted.task.forget();
	});

	test("a monitor that is stopped holds nobody up, and is there again when it goes on", async () => {
		const request = fixture.container({ args: ["sleep", "100"] });
		await launchAndDie(request, true);
		const [monitor] = shimProcesses(fixture.execRoot);
		if (monitor === undefined) throw new Error("no monitor");
		process.kill(monitor, "SIGSTOP");
		let adopted: AdoptedTask;
		try {
			adopted = await fixture.newRuntime().adopt(request.id);
			if (adopted.kind !== "running") throw new Error(`adopted as ${adopted.kind}`);
			expect(adopted.task.pid).toBeGreaterThan(1);
			await expect(adopted.task.kill(9)).rejects.toThrow("does not answer");
		} finally {
			process.kill(monitor, "SIGCONT");
		}
		await adopted.task.kill(9);
		expect(await adopted.task.exited).toMatchObject({ exitCode: 137 });
		await adopted.task.forget();
	}, 30_000);

	test("tells the exit of a container that ended meanwhile, as often as asked", async () => {
		const request = fixture.container({ args: ["sh", "-c", "exit 9"] });
		await launchAndDie(request, true);
		for (let time = 0; time < 2; time++) {
			let adopted = await fixture.newRuntime().adopt(request.id);
			if (adopted.kind === "running") await adopted.task.exited;
			adopted = await fixture.newRuntime().adopt(request.id);
			expect(adopted).toMatchObject({ kind: "exited", exit: { exitCode: 9 } });
		}
		const last = await fixture.newRuntime().adopt(request.id);
		if (last.kind === "exited") await last.task.forget();
		expect(await fixture.newRuntime().adopt(request.id)).toEqual({ kind: "lost" });
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("a monitor that was never told to start is lost, and nothing of it stays", async () => {
		const request = fixture.container({ args: ["true"] });
		await launchAndDie(request, false);
		expect(await fixture.newRuntime().adopt(request.id)).toEqual({ kind: "lost" });
		await until("the shim is gone", () => shimProcesses(fixture.execRoot).length === 0);
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("half-made directories are lost and removed", async () => {
		mkdirSync(join(fixture.execRoot, "shim/empty"), { recursive: true });
		mkdirSync(join(fixture.execRoot, "shim/unstarted"));
		writeFileSync(join(fixture.execRoot, "shim/unstarted/spec"), "version=1\0");
		expect((await fixture.shims.list()).sort()).toEqual(["empty", "unstarted"]);
		expect(await fixture.shims.adopt("empty")).toEqual({ kind: "lost" });
		expect(await fixture.shims.adopt("unstarted")).toEqual({ kind: "lost" });
		expect(await fixture.shims.adopt("nosuch")).toEqual({ kind: "lost" });
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("an exit that only the file knows is told, and forgotten without a monitor", async () => {
		mkdirSync(join(fixture.execRoot, "shim/ended"), { recursive: true });
		writeFileSync(
			join(fixture.execRoot, "shim/ended/exit"),
			"version=1\ncode=137\nsignal=9\noom=1\nfinished=1700000000000\n",
		);
		const adopted = await fixture.shims.adopt("ended");
		if (adopted.kind !== "exited") throw new Error(adopted.kind);
		expect(adopted.exit).toEqual({ exitCode: 137, signal: 9, oomKilled: true, finishedAt: 1700000000000 });
		await adopted.task.forget();
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("when a monitor is killed its process is killed, too, and reported as such", async () => {
		const task = await fixture.shims.launch(fixture.container({ args: ["sleep", "1000"] }));
		const pid = await task.start();
		const [shim] = shimProcesses(fixture.execRoot);
		process.kill(Number(shim), "SIGKILL");
		expect(await task.exited).toMatchObject({ exitCode: 137, signal: 9 });
		await until("the process is gone", () => !isAlive(pid));
		await task.forget();
		expect(await fixture.shims.list()).toEqual([]);
	});

	test("works below a directory whose path is longer than a socket address", async () => {
		const deep = new ShimFixture("crun", "d".repeat(120));
		const task = await deep.shims.launch(deep.container({ args: ["echo", "deep"], terminal: true }));
		const output = readAll(await task.attach(OUTPUT));
		await task.start();
		expect((await output).toString()).toBe("deep\r\n");
		await task.exited;
		await task.forget();
		await deep.close();
	});
});

function isAlive(pid: number): boolean {
	try {
		return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
	} catch {
		return false; // no such process
	}
}
