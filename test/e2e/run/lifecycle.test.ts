/** The verbs of a container's life: what each does, what it refuses in which state, and the events of it all. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";

describe("the life of a container", () => {
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

	const start = (name: string, ...rest: string[]) =>
		daemon.mustDocker(["run", "-d", "--name", name, ...(rest.length === 0 ? ["busybox", "sleep", "100"] : rest)]);
	const inspect = (name: string, template: string) => daemon.mustDocker(["inspect", "-f", template, name]);
	const state = (name: string) => inspect(name, "{{.State.Status}} {{.State.ExitCode}}");
	const trapping = (signal: string, code: number) => [
		"busybox",
		"sh",
		"-c",
		`trap 'exit ${code}' ${signal}; echo ready; while :; do sleep 0.05; done`,
	];
	const ready = (name: string) =>
		waitFor(`${name} to be ready`, async () => (await daemon.mustDocker(["logs", name])).includes("ready"));

	test("goes from created over running and paused to exited", async () => {
		await daemon.mustDocker(["create", "--name", "one", "busybox", "sleep", "100"]);
		expect(await state("one")).toBe("created 0");
		await daemon.mustDocker(["start", "one"]);
		await daemon.mustDocker(["start", "one"]);
		expect(await state("one")).toBe("running 0");
		await daemon.mustDocker(["pause", "one"]);
		expect(await inspect("one", "{{.State.Status}} {{.State.Running}} {{.State.Paused}}")).toBe("paused true true");
		await daemon.mustDocker(["unpause", "one"]);
		await daemon.mustDocker(["stop", "-t", "0", "one"]);
		await daemon.mustDocker(["stop", "-t", "0", "one"]);
		expect(await state("one")).toBe("exited 137");
	});

	test("a paused container is stopped, restarted, killed and removed", async () => {
		await start("frozen");
		const verbs: [string[], string][] = [
			[["restart", "-t", "0"], "running 0"],
			[["stop", "-t", "0"], "exited 137"],
			[["start"], "running 0"],
			[["kill"], "exited 137"],
			[["start"], "running 0"],
		];
		for (const [verb, then] of verbs) {
			if (verb[0] !== "start") await daemon.mustDocker(["pause", "frozen"]);
			await daemon.mustDocker([...verb, "frozen"]);
			expect(`${verb[0]}: ${await state("frozen")}`).toBe(`${verb[0]}: ${then}`);
		}
		await daemon.mustDocker(["pause", "frozen"]);
		await daemon.mustDocker(["rm", "-f", "frozen"]);
	});

	test("stops by the signal of the run, of the call, and by force when the time is up", async () => {
		await Promise.all([
			start("term", ...trapping("TERM", 3)),
			start("usr", "--stop-signal", "USR1", ...trapping("USR1", 4)),
			start("int", ...trapping("INT", 5)),
			start("deaf", "--stop-timeout", "1", "busybox", "sleep", "100"),
		]);
		await Promise.all(["term", "usr", "int"].map(ready));
		await Promise.all([
			daemon.mustDocker(["stop", "term", "usr"]),
			daemon.mustDocker(["stop", "-s", "INT", "int"]),
			daemon.mustDocker(["stop", "deaf"]),
		]);
		const codes = await Promise.all(["term", "usr", "int", "deaf"].map(state));
		expect(codes).toEqual(["exited 3", "exited 4", "exited 5", "exited 137"]);
	});

	test("says what the state does not allow, in Docker's words", async () => {
		const id = await start("busy");
		await daemon.mustDocker(["create", "--name", "idle", "busybox"]);
		const idle = await inspect("idle", "{{.Id}}");
		const cases: [args: string[], message: string][] = [
			[
				["rm", "busy"],
				'cannot remove container "busy": container is running: stop the container before removing or force remove',
			],
			[["unpause", "busy"], `Container ${id} is not paused`],
			[["kill", "-s", "NOPE", "busy"], "cannot kill container: busy: invalid signal: NOPE"],
			[["kill", "-s", "99", "busy"], "cannot kill container: busy: the linux daemon does not support signal 99"],
			[["kill", "idle"], `cannot kill container: idle: container ${idle} is not running`],
			[["pause", "idle"], `container ${idle} is not running`],
			[["exec", "idle", "true"], `container ${idle} is not running`],
			[["top", "idle"], `container ${idle} is not running`],
			[["rename", "busy", "idle"], `The container name "/idle" is already in use by container "${idle}"`],
			[["rename", "busy", "busy"], "Renaming a container with the same name as its current name"],
			[["create", "--name", "busy", "busybox"], `The container name "/busy" is already in use by container "${id}"`],
			[["top", "busy", "bogus"], "ps: error: unsupported option (BSD syntax)"],
		];
		for (const [args, message] of cases) {
			const { code, stderr } = await daemon.docker(args);
			expect({ args, code, stderr }).toMatchObject({
				code: expect.any(Number),
				stderr: expect.stringContaining(message),
			});
			expect(code).not.toBe(0);
		}
		await daemon.mustDocker(["pause", "busy"]);
		expect((await daemon.docker(["pause", "busy"])).stderr).toContain(`Container ${id} is already paused`);
		expect((await daemon.docker(["exec", "busy", "true"])).stderr).toContain(
			"Container busy is paused, unpause the container before exec",
		);
		expect((await daemon.docker(["rm", "busy"])).stderr).toContain("container is paused and must be unpaused first");
		expect((await daemon.docker(["start", "busy"])).stderr).toContain(
			"cannot start a paused container, try unpause instead",
		);
		const verbs = [
			"start",
			"stop",
			"restart",
			"kill",
			"pause",
			"unpause",
			"rm",
			"wait",
			"logs",
			"top",
			"port",
			"attach",
			"diff",
		];
		for (const verb of verbs)
			expect(await daemon.docker([verb, "nope"])).toMatchObject({
				code: 1,
				stderr: expect.stringContaining("No such container: nope"),
			});
		expect(await daemon.docker(["rm", "-f", "nope"])).toMatchObject({ code: 0 });
	});

	test("rm -f says so when SIGKILL ends nothing, and removes the container when it can", async () => {
		await start("stuck");
		// A process whose parent, outside, does not take note of its end keeps the container's PID namespace from ending.
		const outside = Bun.spawn(["nsenter", "-t", await inspect("stuck", "{{.State.Pid}}"), "-p", "sleep", "100"]);
		const children = `/proc/${outside.pid}/task/${outside.pid}/children`;
		await waitFor("a process inside", () => readFileSync(children, "utf8") !== "");
		outside.kill("SIGSTOP");
		try {
			const refused = await daemon.docker(["rm", "-f", "stuck"]);
			expect(refused).toMatchObject({ code: 1 });
			expect(refused.stderr).toContain("tried to kill container, but did not receive an exit event");
			expect(await state("stuck")).toBe("running 0");
		} finally {
			outside.kill("SIGCONT");
		}
		await waitFor("its end", async () => (await state("stuck")) === "exited 137");
		await daemon.mustDocker(["rm", "stuck"]);
		await outside.exited;
	});

	test("publishes every step as an event", async () => {
		const since = String(Date.now() / 1000);
		const id = await start("seen", "--label", "colour=blue", "busybox", "sleep", "100");
		await daemon.mustDocker(["pause", "seen"]);
		await daemon.mustDocker(["unpause", "seen"]);
		await daemon.mustDocker(["rename", "seen", "known"]);
		await daemon.mustDocker(["exec", "known", "true"]);
		await daemon.mustDocker(["restart", "-t", "0", "known"]);
		await daemon.mustDocker(["kill", "known"]);
		await daemon.mustDocker(["rm", "known"]);
		const query = ["events", "--since", since, "--until", String(Date.now() / 1000 + 0.2)];
		const actions = async (...filters: string[]) =>
			(
				await daemon.mustDocker([
					...query,
					...filters.flatMap((filter) => ["--filter", filter]),
					"--format",
					"{{.Action}}",
				])
			)
				.split("\n")
				.map((action) => action.replace(/:.*/, ""));
		expect(await actions(`container=${id}`, "type=container")).toEqual(
			"create start pause unpause rename exec_create exec_start exec_die kill kill die stop start restart kill die destroy".split(
				" ",
			),
		);
		expect(await actions("label=colour=blue", "event=die")).toEqual(["die", "die"]);
		expect(await actions("type=network")).toEqual(["connect", "disconnect", "connect", "disconnect"]);
		const die = JSON.parse(
			(await daemon.mustDocker([...query, "--filter", "event=die", "--format", "{{json .}}"])).split("\n")[1] ?? "",
		);
		expect(die.Actor).toMatchObject({
			ID: id,
			Attributes: { name: "known", colour: "blue", exitCode: "137", image: "busybox" },
		});
	});

	test("waits for the end, the next end and the removal", async () => {
		await daemon.mustDocker(["create", "--name", "later", "busybox", "sh", "-c", "exit 6"]);
		expect(await daemon.mustDocker(["wait", "later"])).toBe("0");
		const next = daemon.api("POST", "/containers/later/wait?condition=next-exit");
		const removed = daemon.api("POST", "/containers/later/wait?condition=removed");
		await Bun.sleep(50);
		await daemon.mustDocker(["start", "later"]);
		expect(await (await next).json()).toMatchObject({ StatusCode: 6 });
		expect(await daemon.mustDocker(["wait", "later"])).toBe("6");
		await daemon.mustDocker(["rm", "later"]);
		expect(await (await removed).json()).toMatchObject({ StatusCode: 6 });
	});

	test("restarts by policy, slower each time, until told otherwise", async () => {
		await start("twice", "--restart", "on-failure:2", "busybox", "false");
		await start("fine", "--restart", "on-failure", "busybox", "true");
		await start("ever", "--restart", "always", "busybox", "true");
		await waitFor(
			"both restarts",
			async () => (await inspect("twice", "{{.RestartCount}} {{.State.Status}}")) === "2 exited",
		);
		expect(await inspect("fine", "{{.RestartCount}} {{.State.Status}}")).toBe("0 exited");
		// From the third on, the next restart is most of a second away.
		const waiting = "{{.State.Status}} {{ge .RestartCount 3}}";
		await waitFor("a restart to be due", async () => (await inspect("ever", waiting)) === "restarting true");
		expect((await daemon.docker(["exec", "ever", "true"])).stderr).toContain(
			"is restarting, wait until the container is running",
		);
		await daemon.mustDocker(["stop", "ever"]);
		const count = await inspect("ever", "{{.RestartCount}}");
		expect(await state("ever")).toBe("exited 0");
		await Bun.sleep(500);
		expect(await inspect("ever", "{{.RestartCount}} {{.State.Status}}")).toBe(`${count} exited`);
	}, 20_000);

	test("probes health and tells it by status, list and events", async () => {
		const since = String(Date.now() / 1000);
		const flags = ["--health-interval", "150ms", "--health-retries", "2", "--health-cmd", "test -e /ok && echo fine"];
		await start("ill", ...flags, "busybox", "sleep", "100");
		await start(
			"slow",
			"--health-interval",
			"100ms",
			"--health-timeout",
			"200ms",
			"--health-retries",
			"1",
			"--health-cmd",
			"sleep 9",
			"busybox",
			"sleep",
			"100",
		);
		expect(await inspect("ill", "{{.State.Health.Status}}")).toBe("starting");
		const becomes = (name: string, status: string) =>
			waitFor(`${name} to be ${status}`, async () => (await inspect(name, "{{.State.Health.Status}}")) === status);
		await becomes("ill", "unhealthy");
		await becomes("slow", "unhealthy");
		expect(JSON.parse(await inspect("slow", "{{json (index .State.Health.Log 0)}}"))).toMatchObject({
			ExitCode: -1,
			Output: expect.stringContaining("exceeded timeout (200ms)"),
		});
		await daemon.mustDocker(["exec", "ill", "touch", "/ok"]);
		await becomes("ill", "healthy");
		expect(await daemon.mustDocker(["ps", "--filter", "health=healthy", "--format", "{{.Names}} {{.Status}}"])).toMatch(
			/^ill Up .* \(healthy\)$/,
		);
		const events = [
			"events",
			"--since",
			since,
			"--until",
			String(Date.now() / 1000 + 0.1),
			"--filter",
			"container=ill",
		];
		expect(await daemon.mustDocker([...events, "--filter", "event=health_status", "--format", "{{.Action}}"])).toBe(
			"health_status: unhealthy\nhealth_status: healthy",
		);
		await start("none", ...flags, "--restart", "no", "busybox", "true");
		expect(await daemon.docker(["run", "--rm", "--health-cmd", "true", "--no-healthcheck", "busybox"])).toMatchObject({
			code: 125,
		});
	}, 20_000);

	test("removes with --rm, and prunes by label", async () => {
		await start("brief", "--rm", "busybox", "sleep", "0.2");
		await daemon.mustDocker(["wait", "brief"]);
		await waitFor("the removal", async () => (await daemon.docker(["inspect", "brief"])).code === 1);
		await daemon.mustDocker(["create", "--label", "old", "--name", "old", "busybox"]);
		await daemon.mustDocker(["create", "--name", "kept", "busybox"]);
		const id = await inspect("old", "{{.Id}}");
		expect(await daemon.mustDocker(["container", "prune", "-f", "--filter", "label=old"])).toContain(id);
		expect(await daemon.mustDocker(["ps", "-a", "--format", "{{.Names}}"])).toBe("kept");
		for (const filter of ["nope=1", "until=nope"])
			expect((await daemon.docker(["container", "prune", "-f", "--filter", filter])).code).toBe(1);
	});
});
