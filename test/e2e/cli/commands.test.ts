import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandOptions, CommandResult } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";

/** The command line against a real daemon: what it prints, where, and with which exit code. */
let daemon: TestDaemon;
let folder = "";

beforeAll(async () => {
	daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	folder = await mkdtemp(join(tmpdir(), "gantry-cli-"));
}, 60_000);

afterAll(async () => {
	await rm(folder, { recursive: true, force: true });
	await daemon?.remove();
}, 60_000);

function gantry(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
	return daemon.gantry(args, { ...options, env: { GANTRY_HOST: undefined, ...options.env } });
}

describe("gantry run", () => {
	const cases: [string, string[], CommandResult, CommandOptions?][] = [
		[
			"keeps the two outputs apart and hands the exit code on",
			["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"],
			{ code: 7, stdout: "out\n", stderr: "err\n" },
		],
		[
			"passes standard input and its end on",
			["run", "--rm", "-i", "busybox", "wc", "-c"],
			{ code: 0, stdout: "100000\n", stderr: "" },
			{ stdin: "x".repeat(100_000) },
		],
		[
			"passes variables",
			["run", "--rm", "-e", "A=b c", "-e", "PASSED", "busybox", "sh", "-c", "echo $A $PASSED"],
			{ code: 0, stdout: "b c on\n", stderr: "" },
			{ env: { PASSED: "on" } },
		],
		[
			"shows the chosen stream only",
			["run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo out; echo err >&2"],
			{ code: 0, stdout: "", stderr: "err\n" },
		],
	];
	for (const [name, args, want, options] of cases)
		test(name, async () => {
			expect(await gantry(args, options)).toEqual(want);
		});

	test("ends with 127, 126 and 125 when there is nothing to run", async () => {
		const missing = await gantry(["run", "--rm", "busybox", "no-such-program"]);
		const directory = await gantry(["run", "--rm", "busybox", "/etc"]);
		const image = await gantry(["run", "--rm", "--pull", "never", "no-such-image"]);
		const option = await gantry(["run", "--no-such-option", "busybox"]);
		expect([missing.code, directory.code, image.code, option.code]).toEqual([127, 126, 125, 125]);
		expect(image.stderr).toContain("gantry: Error response from daemon: No such image: no-such-image:latest");
		expect(option.stderr).toContain("unknown flag: --no-such-option");
	});

	test("-d prints the ID; start, logs, wait, rm do their work by name", async () => {
		const { stdout } = await gantry(["run", "-d", "--name", "cli-d", "busybox", "sh", "-c", "echo hello; exit 3"]);
		expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
		expect(await gantry(["wait", "cli-d"])).toEqual({ code: 0, stdout: "3\n", stderr: "" });
		expect(await gantry(["logs", "cli-d"])).toEqual({ code: 0, stdout: "hello\n", stderr: "" });
		expect(await gantry(["start", "-a", "cli-d"])).toEqual({ code: 3, stdout: "hello\n", stderr: "" });
		expect(await gantry(["rm", "cli-d", "cli-nope"])).toEqual({
			code: 1,
			stdout: "cli-d\n",
			stderr: "Error response from daemon: No such container: cli-nope\n",
		});
	});

	test("-it gives a terminal of the right size, follows its changes and detaches", async () => {
		await using session = daemon.terminal("gantry", ["run", "-it", "--name", "cli-t", "busybox", "sh"], {
			rows: 33,
			columns: 111,
		});
		session.type("stty size\n");
		await session.expect(/33 111/);
		session.resize(90, 40);
		session.type("sleep 0.3; stty size\n");
		await session.expect(/40 90/);
		session.type("\x10\x11");
		expect(await session.exited).toBe(0);
		await using again = daemon.terminal("gantry", ["attach", "cli-t"]);
		again.type("exit 5\n");
		expect(await again.exited).toBe(5);
		expect((await gantry(["rm", "cli-t"])).code).toBe(0);
	});

	test("passes signals on, and reports the one that ended the container as 128 and its number", async () => {
		await daemon.mustGantry(["run", "-d", "--name", "cli-kill", "busybox", "sleep", "1000"]);
		expect((await gantry(["kill", "cli-kill"])).stdout).toBe("cli-kill\n");
		expect((await gantry(["wait", "cli-kill"])).stdout).toBe("137\n");
		expect((await gantry(["rm", "cli-kill"])).code).toBe(0);
		const script = "trap 'echo caught; exit 4' INT; echo ready; while true; do sleep 0.1; done";
		await using session = daemon.terminal("gantry", ["run", "--rm", "busybox", "sh", "-c", script]);
		await session.expect(/ready/);
		session.type("\x03");
		expect(await session.exited).toBe(4);
		expect(session.output).toContain("caught");
	});

	test("a container that is removed on exit is gone, its name free, when the command returns", async () => {
		for (let count = 0; count < 3; count++)
			expect((await gantry(["run", "--rm", "--name", "cli-rm", "busybox", "true"])).code).toBe(0);
	});
});

describe("gantry exec", () => {
	test("hands input, output and exit codes on", async () => {
		await daemon.mustGantry(["run", "-d", "--name", "cli-exec", "busybox", "sleep", "1000"]);
		expect(await gantry(["exec", "-i", "cli-exec", "cat"], { stdin: "through" })).toEqual({
			code: 0,
			stdout: "through",
			stderr: "",
		});
		expect(
			await gantry(["exec", "-w", "/etc", "-e", "A=b", "cli-exec", "sh", "-c", "pwd; echo $A >&2; exit 9"]),
		).toEqual({
			code: 9,
			stdout: "/etc\n",
			stderr: "b\n",
		});
		expect((await gantry(["exec", "cli-exec", "no-such-program"])).code).toBe(127);
		expect((await gantry(["rm", "-f", "cli-exec"])).code).toBe(0);
	});
});

describe("gantry cp", () => {
	test("copies in and out, directories and streams", async () => {
		await daemon.mustGantry(["create", "--name", "cli-cp", "busybox", "true"]);
		const file = join(folder, "file");
		await writeFile(file, "content");
		expect((await gantry(["cp", file, "cli-cp:/tmp/renamed"])).code).toBe(0);
		expect((await gantry(["cp", "cli-cp:/tmp", join(folder, "out")])).code).toBe(0);
		expect(await readFile(join(folder, "out", "renamed"), "utf8")).toBe("content");
		expect(await gantry(["cp", "cli-cp:/no/such", folder])).toEqual({
			code: 1,
			stdout: "",
			stderr: "Error response from daemon: Could not find the file /no/such in container cli-cp\n",
		});
		expect((await gantry(["rm", "cli-cp"])).code).toBe(0);
	});
});

describe("lists and inspections", () => {
	/** Both clients, one daemon: every byte must be the same. */
	const commands: string[][] = [
		["ps", "-a"],
		["ps", "-aq", "--no-trunc"],
		["ps", "-a", "--format", "json"],
		["ps", "-a", "--format", "table {{.Names}}\\t{{.Ports}}\\t{{.Mounts}}\\t{{.Networks}}"],
		["images"],
		["images", "--digests", "--no-trunc"],
		["history", "busybox"],
		["inspect", "cli-list"],
		["inspect", "busybox"],
		[
			"inspect",
			"-f",
			"{{.Name}} {{.State.Status}} {{range .Config.Env}}{{.}} {{end}}{{json .HostConfig.PortBindings}}",
			"cli-list",
		],
		["inspect", "no-such-object"],
		["volume", "ls"],
		["volume", "inspect", "cli-volume"],
		["network", "ls"],
		["network", "inspect", "bridge"],
		["port", "cli-list"],
		["diff", "cli-list"],
		["top", "cli-list"],
		["logs", "cli-list"],
		["logs", "-t", "--tail", "1", "cli-list"],
		["system", "df"],
		["info", "--format", "{{.Driver}} {{.ContainersRunning}}"],
		["version", "--format", "{{.Server.Version}} {{.Server.APIVersion}}"],
	];

	beforeAll(async () => {
		await daemon.mustGantry(["volume", "create", "--label", "a=b", "cli-volume"]);
		const options = ["-p", "127.0.0.1::80", "-v", "cli-volume:/v", "-l", "x=y", "-e", "A=b"];
		const script = "echo out; echo err >&2; touch /tmp/new; sleep 1000";
		await daemon.mustGantry(["run", "-d", "--name", "cli-list", ...options, "busybox", "sh", "-c", script]);
		await Bun.sleep(300);
	});

	test("ps fits a narrow terminal, and is whole in a pipe", async () => {
		await using session = daemon.terminal("gantry", ["ps"], { rows: 20, columns: 80 });
		expect(await session.exited).toBe(0);
		const lines = session.output.replaceAll("\r", "").trimEnd().split("\n");
		expect(lines[0]).toMatch(/^CONTAINER ID {2}IMAGE .* NAMES$/);
		expect(lines.every((line) => [...line].length <= 80)).toBe(true);
		expect(lines.some((line) => line.includes("…") && line.endsWith("  cli-list"))).toBe(true);
		expect(await daemon.mustGantry(["ps"])).toContain("->80/tcp   cli-list");
	});

	for (const args of commands)
		test.skipIf(dockerClient === undefined)(`${args.join(" ")} prints what docker prints`, async () => {
			let [ours, theirs] = [await gantry(args), await daemon.docker(args)];
			// A second may have passed between the two, and the second time is nearer.
			for (let attempt = 0; attempt < 3 && ours.stdout !== theirs.stdout; attempt++)
				[ours, theirs] = [await gantry(args), await daemon.docker(args)];
			expect({ ...ours, stdout: ours.stdout.split(",") }).toEqual({ ...theirs, stdout: theirs.stdout.split(",") });
		});
});

describe("errors", () => {
	test("a daemon that is not there is one clear message", async () => {
		const { code, stderr } = await gantry(["-H", "unix:///no/such.sock", "ps"]);
		expect(code).toBe(1);
		expect(stderr).toStartWith(
			"Cannot connect to the Gantry daemon at unix:///no/such.sock. Is the gantry daemon running?\nStart it with",
		);
	});

	test("unknown and unavailable commands say so", async () => {
		const unknown = await gantry(["rnu"]);
		const unavailable = await gantry(["swarm", "init"]);
		expect([unknown.code, unavailable.code]).toEqual([1, 1]);
		expect(unknown.stderr).toContain("Did you mean 'gantry run'?");
		expect(unavailable.stderr).toBe("gantry swarm is not available yet\n");
	});
});
