import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Task } from "../../../src/core/container/runtime.ts";
import { parseFrames, readAll, ShimFixture } from "./fixture.ts";

const OUTPUT = { stdin: false, stdout: true, stderr: true };

for (const name of ["crun", "runc"] as const)
	describe(`exec with ${name}`, () => {
		let fixture: ShimFixture;
		let container: Task;
		beforeAll(async () => {
			fixture = new ShimFixture(name);
			container = await fixture.shims.launch(fixture.container({ args: ["sleep", "1000"] }));
			await container.start();
		});
		afterAll(async () => {
			await container.kill(9);
			await container.exited;
			await container.forget();
			await fixture.close();
		});

		test("runs a second process and tells its exit code", async () => {
			const task = await fixture.shims.launchExec(
				fixture.exec(container.id, { args: ["sh", "-c", "cat; exit 5"] }, { openStdin: true, stdinOnce: true }),
			);
			const attached = await task.attach({ ...OUTPUT, stdin: true });
			const output = readAll(attached);
			await task.start();
			attached.end("in\n");
			expect(await task.exited).toMatchObject({ exitCode: 5 });
			expect(parseFrames(await output)).toEqual([{ stream: 1, text: "in\n" }]);
			await task.forget();
		});

		test("gives a terminal of the asked size", async () => {
			const request = fixture.exec(
				container.id,
				{ args: ["sh", "-c", "read line; stty size"], terminal: true },
				{ consoleSize: { width: 80, height: 24 }, openStdin: true },
			);
			const task = await fixture.shims.launchExec(request);
			const attached = await task.attach({ ...OUTPUT, stdin: true });
			const output = readAll(attached);
			await task.start();
			attached.write("go\n"); // crun lets the process run before it sets the size
			expect((await output).toString()).toEndWith("24 80\r\n");
			expect(await task.exited).toMatchObject({ exitCode: 0 });
			await task.forget();
		});

		test("ends although a background process keeps its streams open", async () => {
			const task = await fixture.shims.launchExec(
				fixture.exec(container.id, { args: ["sh", "-c", "sleep 500 & echo hi"] }),
			);
			const output = readAll(await task.attach(OUTPUT));
			await task.start();
			expect(await task.exited).toMatchObject({ exitCode: 0 });
			expect(parseFrames(await output)).toEqual([{ stream: 1, text: "hi\n" }]);
			await task.forget();
		});

		const cases = [
			["nosuch", "not-found", 'exec: "nosuch": executable file not found in $PATH'],
			["/bin/nosuch", "not-found", 'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory'],
			["/tmp/not-executable", "not-executable", 'exec: "/tmp/not-executable": permission denied'],
			["/tmp", "not-executable", "permission denied"],
		] as const;
		for (const [program, reason, message] of cases)
			test(`says why ${program} can't be started`, async () => {
				const execution = await fixture.shims.launchExec(fixture.exec(container.id, { args: [program] }));
				const first = await fixture.shims.launch(fixture.container({ args: [program] }));
				const output = readAll(await first.attach(OUTPUT));
				for (const task of [execution, first])
					expect(task.start()).rejects.toMatchObject({ reason, message: expect.stringContaining(message) });
				expect((await output).length).toBe(0);
			});

		test("leaves no monitor behind when the start failed", async () => {
			expect(await fixture.shims.list()).toEqual([container.id]);
		});

		test("pauses, resumes and updates the container", async () => {
			await fixture.shims.pause(fixture.runtime, container.id);
			await fixture.shims.resume(fixture.runtime, container.id);
			await fixture.shims.update(fixture.runtime, container.id, { memory: { limit: 80 << 20, swap: 80 << 20 } });
			expect(fixture.shims.pause(fixture.runtime, "nosuch")).rejects.toMatchObject({ kind: "system" });
			await fixture.shims.delete(fixture.runtime, "nosuch");
		});
	});
