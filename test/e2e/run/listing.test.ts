/** What is told about containers: ps with its filters, inspect, top, stats. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";

describe("what is told about containers", () => {
	let daemon: TestDaemon;
	let before: MachineSnapshot;

	beforeAll(async () => {
		daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		before = await takeSnapshot(daemon.isOurs);
		const run = (...args: string[]) => daemon.docker(["run", ...args]);
		await run("--name", "done", "--label", "kind=batch", "busybox", "sh", "-c", "echo hello > /file");
		await run("--name", "failed", "busybox", "sh", "-c", "exit 3");
		await daemon.mustDocker(["create", "--name", "made", "--network", "none", "busybox", "true"]);
		await run(
			"-d",
			"--name",
			"up",
			"-m",
			"32m",
			"-v",
			"stuff:/stuff",
			"-p",
			"127.0.0.1::80",
			"--expose",
			"90",
			"busybox",
			"sleep",
			"100",
		);
		await run("-d", "--name", "frozen", "--label", "kind=server", "busybox", "sleep", "100");
		await daemon.mustDocker(["pause", "frozen"]);
	}, 60_000);

	afterAll(async () => {
		try {
			await daemon.mustDocker(["rm", "-f", "done", "failed", "made", "up", "frozen"]);
			await expectNoLeaks(before, { isOurs: daemon.isOurs });
		} finally {
			await daemon.remove();
		}
	}, 60_000);

	const names = async (...flags: string[]) =>
		(await daemon.mustDocker(["ps", ...flags, "--format", "{{.Names}}"])).split("\n").filter((name) => name !== "");
	const filters: [filters: string[], names: string[]][] = [
		[["status=exited"], ["failed", "done"]],
		[["status=created"], ["made"]],
		[["status=paused"], ["frozen"]],
		[["status=running"], ["up"]],
		[["exited=3"], ["failed"]],
		[["name=^do"], ["done"]],
		[
			["name=do", "name=mad"],
			["made", "done"],
		],
		[["label=kind"], ["frozen", "done"]],
		[["label=kind=batch"], ["done"]],
		[
			["ancestor=busybox", "status=exited"],
			["failed", "done"],
		],
		[["ancestor=nope"], []],
		[["before=made"], ["failed", "done"]],
		[["since=made"], ["frozen", "up"]],
		[["volume=stuff"], ["up"]],
		[["volume=/stuff"], ["up"]],
		[["network=none"], ["made"]],
		[["expose=80"], ["up"]],
		[["publish=80"], []],
		[["expose=90/tcp"], ["up"]],
		[["health=none", "status=running"], ["up"]],
		[["is-task=true"], []],
	];
	for (const [given, expected] of filters)
		test(`ps --filter ${given.join(" ")}`, async () => {
			expect(await names("-a", ...given.flatMap((filter) => ["--filter", filter]))).toEqual(expected);
		});

	test("ps refuses filters it does not know, or values of them", async () => {
		for (const filter of [
			"nope=1",
			"status=nope",
			"exited=x",
			"health=nope",
			"is-task=nope",
			"before=nope",
			"publish=x",
		])
			expect((await daemon.docker(["ps", "-a", "--filter", filter])).code, filter).toBe(1);
	});

	test("ps finds published ports by their number on the host", async () => {
		const port = (await daemon.mustDocker(["port", "up", "80"])).split(":")[1];
		expect(await names("--filter", `publish=${port}`)).toEqual(["up"]);
	});

	test("ps counts, shortens and sizes", async () => {
		expect(await names()).toEqual(["frozen", "up"]);
		expect(await names("-n", "2")).toEqual(["frozen", "up"]);
		expect(await names("-l")).toEqual(["frozen"]);
		expect(await daemon.mustDocker(["ps", "-q", "--no-trunc", "--filter", "name=up"])).toMatch(/^[0-9a-f]{64}$/);
		const row = (name: string, template: string) =>
			daemon.mustDocker(["ps", "-a", "-s", "--filter", `name=^${name}$`, "--format", template]);
		expect(await row("done", "{{.Size}}")).toMatch(/^6B \(virtual [\d.]+MB\)$/);
		expect(await row("done", "{{.Command}} {{.Labels}} {{.Networks}}")).toBe(
			`"sh -c 'echo hello >…" kind=batch bridge`,
		);
		expect(await row("done", "{{.Status}}")).toMatch(/^Exited \(0\) .* ago$/);
		expect(await row("made", "{{.Status}}")).toBe("Created");
		expect(await row("frozen", "{{.Status}}")).toMatch(/^Up .*\(Paused\)$/);
		expect(await row("up", "{{.Mounts}} {{.LocalVolumes}} {{.Ports}}")).toMatch(
			/^stuff 1 90\/tcp, 127\.0\.0\.1:\d+->80\/tcp$/,
		);
	});

	test("inspect has the state, the mounts, the ports and, asked for, the size", async () => {
		const [up] = JSON.parse(await daemon.mustDocker(["inspect", "-s", "up"]));
		expect(up).toMatchObject({
			Name: "/up",
			Path: "sleep",
			Args: ["100"],
			State: { Status: "running", Running: true, ExitCode: 0, FinishedAt: "0001-01-01T00:00:00Z" },
			HostConfig: { Memory: 32 * 1024 * 1024, Binds: ["stuff:/stuff"], NetworkMode: "bridge" },
			Mounts: [{ Type: "volume", Name: "stuff", Destination: "/stuff", RW: true }],
			Config: { Image: "busybox", Cmd: ["sleep", "100"], ExposedPorts: { "80/tcp": {}, "90/tcp": {} } },
			NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "127.0.0.1" }], "90/tcp": null } },
		});
		expect(up.SizeRootFs).toBeGreaterThan(1_000_000);
		expect(up.State.Pid).toBeGreaterThan(1);
		expect(await daemon.docker(["inspect", "nope"])).toEqual({
			code: 1,
			stdout: "[]\n",
			stderr: "Error: No such object: nope\n",
		});
	});

	test("top and stats show what runs", async () => {
		const rows = (await daemon.mustDocker(["top", "up"])).split("\n");
		expect(rows[0]?.split(/\s+/)).toEqual("UID PID PPID C STIME TTY TIME CMD".split(" "));
		expect(rows[1]).toEndWith("sleep 100");
		expect((await daemon.mustDocker(["top", "up", "-o", "pid,comm"])).split("\n")[1]).toMatch(/^\d+\s+sleep$/);
		const stats = await daemon.mustDocker([
			"stats",
			"--no-stream",
			"--format",
			"{{.Name}} {{.PIDs}} {{.MemUsage}}",
			"up",
		]);
		expect(stats).toMatch(/^up 1 [\d.]+[KM]iB \/ 32MiB$/);
		const stopped = await daemon.mustDocker(["stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", "done"]);
		expect(stopped).toBe("0 0B / 0B");
		expect((await daemon.docker(["stats", "--no-stream", "nope"])).code).toBe(1);
		const stream = await daemon.api("GET", "/containers/up/stats?stream=true");
		const reader = stream.body?.getReader();
		const samples = [await reader?.read(), await reader?.read()].map((part) =>
			JSON.parse(new TextDecoder().decode(part?.value)),
		);
		await reader?.cancel();
		expect(samples.map(({ name, pids_stats }) => [name, pids_stats.current])).toEqual([
			["/up", 1],
			["/up", 1],
		]);
		expect(samples[1].precpu_stats.system_cpu_usage).toBe(samples[0].cpu_stats.system_cpu_usage);
	});

	test("port tells what is published", async () => {
		expect(await daemon.mustDocker(["port", "up"])).toMatch(/^80\/tcp -> 127\.0\.0\.1:\d+$/);
		expect(await daemon.mustDocker(["port", "up", "80"])).toMatch(/^127\.0\.0\.1:\d+$/);
		expect(await daemon.docker(["port", "up", "81"])).toMatchObject({ code: 1, stderr: expect.stringContaining("81") });
	});
});
