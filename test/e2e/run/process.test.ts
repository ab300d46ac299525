/** What a container's first process is: its command, user, surroundings, and what its end tells the client. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";

describe("the process of docker run", () => {
	let daemon: TestDaemon;
	let before: MachineSnapshot;

	beforeAll(async () => {
		daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		before = await takeSnapshot(daemon.isOurs);
	}, 60_000);

	afterAll(async () => {
		try {
			await expectNoLeaks(before, { isOurs: daemon.isOurs });
		} finally {
			await daemon.remove();
		}
	}, 60_000);

	const run = (...args: string[]) => daemon.docker(["run", "--rm", ...args]);
	const path = (name: string) => join(daemon.directory, name);

	const outputs: [name: string, args: string[], stdout: string | RegExp][] = [
		["runs a command in exec form", ["busybox", "echo", "a b", "c"], "a b c\n"],
		["replaces the entrypoint", ["--entrypoint", "/bin/echo", "busybox", "x"], "x\n"],
		["takes an empty entrypoint for none", ["--entrypoint", "", "busybox", "echo", "y"], "y\n"],
		["sets variables", ["-e", "A=1", "-e", "B=", "busybox", "sh", "-c", 'echo "$A-$B-"'], "1--\n"],
		["lets a variable of the user win over PATH", ["-e", "PATH=/bin", "busybox", "sh", "-c", "echo $PATH"], "/bin\n"],
		["knows numeric users", ["-u", "1000:50", "busybox", "id", "-u"], "1000\n"],
		["adds groups", ["-u", "1000", "--group-add", "77", "--group-add", "88", "busybox", "id", "-G"], "0 77 88\n"],
		["takes the user's own HOME", ["-u", "root", "busybox", "sh", "-c", "echo $HOME"], "/root\n"],
		["makes the working directory", ["-w", "/a/b/c", "busybox", "pwd"], "/a/b/c\n"],
		[
			"sets host and domain name",
			["-h", "foo", "--domainname", "bar.example", "busybox", "sh", "-c", "hostname; cat /proc/sys/kernel/domainname"],
			"foo\nbar.example\n",
		],
		["writes the name into /etc/hosts", ["-h", "foo", "busybox", "grep", "-c", "foo$", "/etc/hosts"], "1\n"],
		["writes its short form, too", ["-h", "a.b.c", "busybox", "grep", "-c", "a.b.c a$", "/etc/hosts"], "1\n"],
		["puts an init before the process", ["--init", "busybox", "cat", "/proc/1/comm"], "docker-init\n"],
		["has the process itself as 1 without", ["busybox", "cat", "/proc/self/status"], /\nPid:\t1\n/],
		["sets the out-of-memory score", ["--oom-score-adj", "500", "busybox", "cat", "/proc/self/oom_score_adj"], "500\n"],
		["accepts the image's platform", ["--platform", "linux/amd64", "busybox", "echo", "ok"], "ok\n"],
		["runs by another runtime", ["--runtime", "runc", "busybox", "echo", "ok"], "ok\n"],
		["attaches to standard output alone", ["-a", "stdout", "busybox", "sh", "-c", "echo o; echo e >&2"], "o\n"],
	];
	for (const [name, args, stdout] of outputs)
		test(name, async () => {
			const result = await run(...args);
			expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: "" });
			if (typeof stdout === "string") expect(result.stdout).toBe(stdout);
			else expect(result.stdout).toMatch(stdout);
		});

	const failures: [name: string, code: number, args: string[], stderr: RegExp][] = [
		["gives the process's exit code", 33, ["busybox", "sh", "-c", "exit 33"], /^$/],
		["gives 128+n after a signal", 143, ["--init", "busybox", "sh", "-c", "kill -TERM $$"], /^$/],
		["gives 127 for a command that is not there", 127, ["busybox", "nope"], /exec: "nope": executable file not found/],
		["gives 127 for a path that is not there", 127, ["busybox", "/no/pe"], /stat \/no\/pe: no such file or directory/],
		["gives 126 for a directory", 126, ["busybox", "/etc"], /is a directory: permission denied/],
		["gives 126 for a file that is no program", 126, ["busybox", "/etc/passwd"], /"\/etc\/passwd": permission denied/],
		["gives 127 for it under an init, too", 127, ["--init", "busybox", "nope"], /No such file or directory/],
		["gives 125 for an unknown flag", 125, ["--nope", "busybox"], /unknown flag: --nope/],
		[
			"refuses an unknown user",
			125,
			["-u", "nope", "busybox"],
			/unable to find user nope: no matching entries in passwd/,
		],
		["refuses an unknown group", 125, ["-u", "0:nope", "busybox"], /unable to find group nope/],
		["refuses a relative directory", 125, ["-w", "rel", "busybox"], /working directory 'rel' is invalid/],
		["refuses a bad stop signal", 125, ["--stop-signal", "NOPE", "busybox"], /invalid signal: NOPE/],
		["refuses a missing image", 125, ["--pull", "never", "nope", "true"], /No such image: nope:latest/],
		["refuses an unknown runtime", 125, ["--runtime", "nope", "busybox"], /unknown or invalid runtime name: nope/],
		["refuses a bad name", 125, ["--name", "a/b", "busybox"], /Invalid container name \(a\/b\)/],
		["refuses an unknown log driver", 125, ["--log-driver", "nope", "busybox"], /nope/],
		["refuses an unknown log option", 125, ["--log-opt", "nope=1", "busybox"], /unknown log opt 'nope' for json-file/],
		["refuses a bad log size", 125, ["--log-opt", "max-size=1x", "busybox"], /invalid suffix: 'x'/],
		["refuses --rm with a restart policy", 125, ["--restart", "always", "busybox"], /[Cc]onflicting options/],
		["refuses a malformed annotation", 125, ["--annotation", "=d", "busybox"], /annotation/],
	];
	for (const [name, code, args, stderr] of failures)
		test(`${name}, and leaves no container`, async () => {
			const result = await run(...args);
			expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(stderr) });
			expect(await daemon.mustDocker(["ps", "-aq"])).toBe("");
		});

	test("reads variables and labels from files, and writes the ID to one", async () => {
		writeFileSync(path("env"), "A=1\n# comment\n\nB\nC=x y\n");
		writeFileSync(path("labels"), "one=1\ntwo=\n");
		const flags = [
			"--env-file",
			path("env"),
			"--label-file",
			path("labels"),
			"--label",
			"three=3",
			"--cidfile",
			path("cid"),
		];
		const id = await daemon.mustDocker(["create", "--annotation", "a=b", ...flags, "busybox"], {
			env: { B: "from-client" },
		});
		expect(readFileSync(path("cid"), "utf8")).toBe(id);
		const [inspect] = JSON.parse(await daemon.mustDocker(["inspect", id]));
		expect(inspect.Config.Env).toEqual(["A=1", "B=from-client", "C=x y", expect.stringMatching(/^PATH=/)]);
		expect(inspect.Config.Labels).toMatchObject({ one: "1", two: "", three: "3" });
		expect(inspect.HostConfig.Annotations).toEqual({ a: "b" });
		const again = await run("--cidfile", path("cid"), "busybox");
		expect(again).toMatchObject({ code: 125, stderr: expect.stringContaining("container ID file found") });
		await daemon.mustDocker(["rm", id]);
		expect(existsSync(path("cid"))).toBe(true);
	});

	test("feeds standard input to its end, and not without -i", async () => {
		const bytes = "0123456789".repeat(300_000);
		expect(await daemon.docker(["run", "--rm", "-i", "busybox", "wc", "-c"], { stdin: bytes })).toMatchObject({
			code: 0,
			stdout: "3000000\n",
		});
		expect((await daemon.docker(["run", "--rm", "busybox", "wc", "-c"], { stdin: "abc" })).stdout).toBe("0\n");
	});

	test("an init reaps orphans and passes signals on", async () => {
		const script =
			"(sleep 0.01 & ) ; trap 'exit 5' TERM; sleep 0.1; ps -o stat= | grep -c Z; while :; do sleep 0.05; done";
		await daemon.mustDocker(["run", "-d", "--name", "reaper", "--init", "busybox", "sh", "-c", script]);
		await Bun.sleep(300);
		await daemon.mustDocker(["stop", "reaper"]);
		expect(await daemon.mustDocker(["logs", "reaper"])).toBe("0");
		expect(await daemon.mustDocker(["inspect", "-f", "{{.State.ExitCode}}", "reaper"])).toBe("5");
		await daemon.mustDocker(["rm", "reaper"]);
	});
});
