import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseFrames, readAll, ShimFixture } from "./fixture.ts";

const ALL = { stdin: true, stdout: true, stderr: true };

for (const name of ["crun", "runc"] as const)
	describe(`ShimRuntime with ${name}`, () => {
		let fixture: ShimFixture;
		beforeAll(() => {
			fixture = new ShimFixture(name);
		});
		afterAll(() => fixture.close());

		test("runs a container, shows both streams and tells the exit code", async () => {
			const task = await fixture.shims.launch(
				fixture.container({ args: ["sh", "-c", "echo out; echo err >&2; exit 3"] }),
			);
			const attached = await task.attach({ stdin: false, stdout: true, stderr: true });
			const output = readAll(attached);
			expect(await task.start()).toBeGreaterThan(1);
			const exit = await task.exited;
			expect(exit).toMatchObject({ exitCode: 3, oomKilled: false });
			expect(Math.abs(exit.finishedAt - Date.now())).toBeLessThan(60_000);
			expect(parseFrames(await output)).toEqual([
				{ stream: 1, text: "out\n" },
				{ stream: 2, text: "err\n" },
			]);
			await task.forget();
			expect(await fixture.shims.list()).toEqual([]);
		});

		test("feeds stdin and passes its half-close on", async () => {
			const request = fixture.container({ args: ["cat"] }, { openStdin: true, stdinOnce: true });
			const task = await fixture.shims.launch(request);
			const attached = await task.attach(ALL);
			const output = readAll(attached);
			attached.end("hello\n");
			await task.start();
			expect(parseFrames(await output)).toEqual([{ stream: 1, text: "hello\n" }]);
			expect(await task.exited).toMatchObject({ exitCode: 0 });
			await task.forget();
		});

		test("opens the process's root, and not that of another with its pid", async () => {
			const task = await fixture.shims.launch(fixture.container({ args: ["sleep", "100"] }));
			expect(await task.openRoot()).toBeUndefined();
			const pid = await task.start();
			const root = await task.openRoot();
			expect(readdirSync(root?.path ?? "")).toEqual(readdirSync(`/proc/${pid}/root`));
			root?.close();
			expect(existsSync(root?.path ?? "")).toBe(false);
			// As it would be if the process had ended unnoticed and its number been given to the next.
			writeFileSync(join(fixture.execRoot, "shim", task.id, "pid"), `${pid} 1\n`);
			expect(await task.openRoot()).toBeUndefined();
			await task.kill(9);
			await task.exited;
			expect(await task.openRoot()).toBeUndefined();
			await task.forget();
		});

		test("signals the process and tells which signal ended it", async () => {
			const task = await fixture.shims.launch(fixture.container({ args: ["sleep", "100"] }));
			await task.start();
			await task.kill(9);
			expect(await task.exited).toMatchObject({ exitCode: 137, signal: 9 });
			expect(task.kill(9)).rejects.toMatchObject({ kind: "conflict" });
			await task.forget();
		});
	});
