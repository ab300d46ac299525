/** What goes in and out of containers: logs, attach, exec, terminals. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";

const GANTRY = join(import.meta.dir, "../../../bin/gantry");

const CTRL_C = "\x03";
const DETACH = "\x10\x11";

describe("the streams of containers", () => {
	let daemon: TestDaemon;
	let before: MachineSnapshot;

	beforeAll(async () => {
		daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		before = await takeSnapshot(daemon.isOurs);
	}, 60_000);

	afterEach(async () => {
		const ids = await daemon.mustDocker(["ps", "-aq"]);
		if (ids !== "") await daemon.mustDocker(["rm", "-f", ...ids.split("\n")]);
	});

	afterAll(async () => {
		try {
			await expectNoLeaks(before, { isOurs: daemon.isOurs });
		} finally {
			await daemon.remove();
		}
	}, 60_000);

	const sleeper = (name: string) => daemon.mustDocker(["run", "-d", "--name", name, "busybox", "sleep", "100"]);

	test("logs by tail, time, stamp and stream", async () => {
		const script = "for i in 1 2 3 4 5; do echo out$i; done; echo err >&2";
		await daemon.docker(["run", "--name", "told", "busybox", "sh", "-c", script]);
		const logs = (...flags: string[]) => daemon.docker(["logs", ...flags, "told"]);
		expect(await logs()).toEqual({ code: 0, stdout: "out1\nout2\nout3\nout4\nout5\n", stderr: "err\n" });
		expect(await logs("-n", "2")).toEqual({ code: 0, stdout: "out5\n", stderr: "err\n" });
		const nothing = { code: 0, stdout: "", stderr: "" };
		expect(await logs("--tail", "0")).toEqual(nothing);
		expect(await logs("--since", "2099-01-01T00:00:00Z")).toEqual(nothing);
		expect(await logs("--until", "10m")).toEqual(nothing);
		expect((await logs("--since", "10m", "-f")).stdout).toEndWith("out5\n");
		expect((await logs("-t")).stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out1\n/);
		expect((await logs("--tail", "nope")).stdout).toStartWith("out1\n");
		expect(await logs("--since", "nope")).toMatchObject({ code: 1, stderr: expect.stringContaining("nope") });
	});

	test("follows a log until the end of the run", async () => {
		const script = "echo one; sleep 0.3; echo two; sleep 0.2";
		await daemon.mustDocker(["run", "-d", "--name", "talker", "busybox", "sh", "-c", script]);
		expect(await daemon.mustDocker(["logs", "-f", "talker"])).toBe("one\ntwo");
		expect(await daemon.docker(["start", "-a", "talker"])).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
		expect(await daemon.mustDocker(["logs", "talker"])).toBe("one\ntwo\none\ntwo");
	});

	test("keeps what the log driver is told to", async () => {
		const lines = ["sh", "-c", "for i in $(seq 2000); do echo line-$i-0123456789; done"];
		const rotated = ["--log-opt", "max-size=10k", "--log-opt", "max-file=3"];
		await daemon.docker(["run", "--name", "rotated", ...rotated, "busybox", ...lines]);
		const logPath = await daemon.mustDocker(["inspect", "-f", "{{.LogPath}}", "rotated"]);
		const files = readdirSync(dirname(logPath)).filter((name) => name.includes("-json.log"));
		expect(files.length).toBe(3);
		for (const file of files) expect(statSync(join(dirname(logPath), file)).size).toBeLessThan(11_000);
		const kept = (await daemon.mustDocker(["logs", "rotated"])).split("\n");
		expect(kept.at(-1)).toBe("line-2000-0123456789");
		expect(kept.length).toBeLessThan(400);
		await daemon.docker([
			"run",
			"--name",
			"local",
			"--log-driver",
			"local",
			"busybox",
			"sh",
			"-c",
			"echo o; echo e >&2",
		]);
		expect(await daemon.docker(["logs", "local"])).toEqual({ code: 0, stdout: "o\n", stderr: "e\n" });
		expect(
			(await daemon.docker(["run", "--name", "none", "--log-driver", "none", "busybox", "echo", "o"])).stdout,
		).toBe("o\n");
		expect(await daemon.docker(["logs", "none"])).toMatchObject({
			code: 1,
			stderr: expect.stringContaining("configured logging driver does not support reading"),
		});
	});

	test("exec has its own user, directory, variables, privileges and code", async () => {
		await sleeper("host");
		const exec = (...args: string[]) => daemon.docker(["exec", ...args]);
		expect((await exec("-u", "1000:2000", "host", "id", "-g")).stdout).toBe("2000\n");
		expect((await exec("-w", "/tmp", "-e", "A=B", "host", "sh", "-c", "pwd; echo $A")).stdout).toBe("/tmp\nB\n");
		expect((await exec("host", "grep", "CapEff", "/proc/self/status")).stdout).toContain("00000000a80425fb");
		expect((await exec("--privileged", "host", "grep", "CapEff", "/proc/self/status")).stdout).not.toContain(
			"a80425fb",
		);
		const ends: [args: string[], code: number, says: string][] = [
			[["host", "sh", "-c", "exit 5"], 5, ""],
			[["host", "sh", "-c", "kill -9 $$"], 137, ""],
			[["host", "nope"], 127, 'exec: "nope": executable file not found in $PATH'],
			[["host", "/etc"], 126, "is a directory: permission denied"],
			[["host", "/etc/passwd"], 126, "permission denied"],
			[
				["-w", "/nope", "host", "pwd"],
				127,
				'chdir to cwd ("/nope") set in config.json failed: no such file or directory',
			],
			[["-w", "rel", "host", "pwd"], 128, "Cwd must be an absolute path"],
			[["-u", "nope", "host", "pwd"], 1, "unable to find user nope: no matching entries in passwd file"],
			[["-d", "host", "sh", "-c", "exit 4"], 0, ""],
			[["nope", "true"], 1, "No such container: nope"],
		];
		for (const [args, code, says] of ends) {
			const result = await exec(...args);
			expect({ args, code: result.code }).toEqual({ args, code });
			expect(result.stdout + result.stderr).toContain(says);
		}
	});

	test("exec -i feeds a file through to the end", async () => {
		await sleeper("host");
		const bytes = new Uint8Array(5_000_000);
		expect(await daemon.docker(["exec", "-i", "host", "wc", "-c"], { stdin: bytes })).toMatchObject({
			code: 0,
			stdout: "5000000\n",
		});
		expect((await daemon.docker(["exec", "-i", "host", "cat"], { stdin: "no end of line" })).stdout).toBe(
			"no end of line",
		);
	});

	for (const client of ["docker", "gantry"] as const) {
		test(`${client} run -it is a terminal with the window's size, echo, resizing and Ctrl-C`, async () => {
			await using session = daemon.terminal(client, ["run", "-it", "--rm", "busybox", "sh"], { columns: 91, rows: 31 });
			await session.expect(/# /);
			session.type("stty size; tty; echo $TERM\n");
			await session.expect(/31 91\r\n\/dev\/pts\/0\r\nxterm\r\n/);
			session.resize(70, 20);
			await waitFor("the new size", () => {
				session.type("stty size\n");
				return Bun.sleep(50).then(() => session.output.includes("20 70\r\n"));
			});
			session.type("sleep 100\n");
			await Bun.sleep(100);
			session.type(CTRL_C);
			session.type("exit 9\n");
			expect(await session.exited).toBe(9);
		});

		test(`${client} exec -it is one, too`, async () => {
			await sleeper("host");
			await using session = daemon.terminal(client, ["exec", "-it", "host", "sh"], { columns: 91, rows: 31 });
			await session.expect(/# /);
			session.type("stty size\n");
			await session.expect(/31 91\r\n/);
			session.resize(60, 10);
			await waitFor("the new size", () => {
				session.type("stty size\n");
				return Bun.sleep(50).then(() => session.output.includes("10 60\r\n"));
			});
			session.type("exit 8\n");
			expect(await session.exited).toBe(8);
		});

		test(`${client} detaches by keys, attaches again, and the container goes on`, async () => {
			await using first = daemon.terminal(client, ["run", "-it", "--name", "kept", "busybox", "sh"]);
			await first.expect(/# /);
			first.type("X=still-here\n");
			first.type(DETACH);
			expect(await first.exited).toBe(0);
			expect(await daemon.mustDocker(["inspect", "-f", "{{.State.Running}}", "kept"])).toBe("true");
			await using second = daemon.terminal(client, ["attach", "--detach-keys", "ctrl-a,x", "kept"]);
			second.type("echo $X\n");
			await second.expect(/still-here\r\n/);
			second.type("\x01x");
			await second.exited;
			expect(await daemon.mustDocker(["inspect", "-f", "{{.State.Running}}", "kept"])).toBe("true");
			await using third = daemon.terminal(client, ["attach", "kept"]);
			third.type("exit 7\n");
			expect(await third.exited).toBe(7);
		});
	}

	test("attach gives the output from then on and the exit code", async () => {
		const script = "read line; echo got $line; echo err >&2; exit 3";
		await daemon.mustDocker(["run", "-d", "-i", "--name", "asks", "busybox", "sh", "-c", script]);
		expect(await daemon.docker(["attach", "asks"], { stdin: "hello\n" })).toEqual({
			code: 3,
			stdout: "got hello\n",
			stderr: "err\n",
		});
		expect(await daemon.docker(["attach", "asks"])).toMatchObject({
			code: 1,
			stderr: expect.stringContaining("You cannot attach to a stopped container, start it first"),
		});
	});

	test("a client that gets a signal passes it on", async () => {
		const script = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; done";
		const child = Bun.spawn(
			[dockerClient ?? GANTRY, "-H", daemon.host, "run", "--rm", "--name", "proxied", "busybox", "sh", "-c", script],
			{
				stdout: "pipe",
			},
		);
		await waitFor("the trap", async () => (await daemon.docker(["logs", "proxied"])).stdout.includes("ready"));
		child.kill("SIGTERM");
		expect(await child.exited).toBe(4);
		expect(await child.stdout.text()).toBe("ready\nbye\n");
	});
});
