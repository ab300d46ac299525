/** A daemon that stops in an orderly way, and several of them on one machine. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { auditDaemon, inspectAll } from "../../support/audit.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, takeSnapshot } from "../../support/leaks.ts";

const CGROUPS = `/gantry-test-life-${process.pid}`;

async function removeCgroups(): Promise<void> {
	await mustRun(["sh", "-c", `for path in /sys/fs/cgroup/*${CGROUPS}*; do [ ! -d "$path" ] || rmdir "$path"; done`]);
}

async function startedWith(args: readonly string[] = []): Promise<TestDaemon> {
	const daemon = await TestDaemon.start({ args: [`--cgroup-parent=${CGROUPS}`, ...args] });
	await daemon.loadBusybox();
	return daemon;
}

async function pidsOf(daemon: TestDaemon): Promise<Record<string, number>> {
	return Object.fromEntries((await inspectAll(daemon)).map(({ Name, State }) => [Name, State.Pid]));
}

test("stopping leaves containers running and gives attached clients an end", async () => {
	const before = await takeSnapshot();
	const daemon = await startedWith();
	try {
		await daemon.mustDocker(["run", "-d", "--name", "web", "-p", "0:80", "busybox", "httpd", "-f", "-h", "/etc"]);
		const port = /:(\d+)$/m.exec(await daemon.mustDocker(["port", "web"]))?.[1];
		const loop = "trap 'exit 3' TERM; while :; do echo tick; sleep 0.05; done";
		const clients = [
			daemon.docker(["run", "--name", "attached", "busybox", "sh", "-c", loop]),
			daemon.docker(["run", "-t", "--name", "terminal", "busybox", "sh", "-c", loop]),
		];
		await waitFor("both to run", async () => (await daemon.mustDocker(["ps", "-q"])).split("\n").length === 3);
		clients.push(
			daemon.docker(["logs", "-f", "attached"]),
			daemon.docker(["events"]),
			daemon.docker(["wait", "web"]),
			daemon.docker(["stats"]),
			daemon.gantry(["logs", "-f", "attached"]),
			daemon.gantry(["wait", "web"]),
			daemon.gantry(["stats"]),
			daemon.docker(["exec", "web", "sleep", "100"]),
		);
		await Bun.sleep(300);
		const pids = await pidsOf(daemon);
		await daemon.stop();
		// Each of them comes to an end; none may take an ended daemon for an ended container.
		const [run, terminal, , , wait] = await Promise.all(clients);
		expect([run?.code, terminal?.code, wait?.code].filter((code) => code === 0 || code === 3)).toEqual([]);
		expect(run?.stdout).toMatch(/^(tick\n)+$/);
		expect(await mustRun(["wget", "-qO-", `http://127.0.0.1:${port}/hostname`])).not.toBe("");
		await daemon.start();
		expect(await pidsOf(daemon)).toEqual(pids);
		const lines = (await daemon.mustDocker(["logs", "attached"])).split("\n").length;
		expect(lines).toBeGreaterThan((run?.stdout ?? "").split("\n").length);
		expect(await daemon.mustDocker(["stop", "attached"])).toBe("attached");
		expect(await daemon.mustDocker(["wait", "attached"])).toBe("3");
		await daemon.mustDocker(["rm", "-f", "web", "terminal", "attached"]);
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
	} finally {
		await daemon.remove();
		await removeCgroups();
	}
	await expectNoLeaks(before, { isOurs: daemon.isOurs });
});

test("requests in hand are answered before the end", async () => {
	const daemon = await startedWith();
	try {
		await daemon.mustDocker([
			"run",
			"-d",
			"--name",
			"stubborn",
			"busybox",
			"sh",
			"-c",
			"trap '' TERM; while :; do sleep 0.1; done",
		]);
		const stop = daemon.docker(["stop", "-t", "2", "stubborn"]);
		const kills = ["events", "--since", "1h", "--until", "0s", "--filter", "event=kill"];
		await waitFor("the request to be in hand", async () => (await daemon.docker(kills)).stdout !== "");
		await daemon.stop();
		expect(await stop).toMatchObject({ code: 0, stdout: "stubborn\n" });
		await daemon.start();
		const [stubborn] = await inspectAll(daemon);
		expect(stubborn?.State).toMatchObject({ Status: "exited", ExitCode: 137 });
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
	} finally {
		await daemon.remove();
		await removeCgroups();
	}
});

test("with no time to stop, what is in hand is cut off and put right by the next", async () => {
	const daemon = await startedWith(["--shutdown-timeout=0"]);
	try {
		await daemon.mustDocker([
			"run",
			"-d",
			"--name",
			"stubborn",
			"busybox",
			"sh",
			"-c",
			"trap '' TERM; while :; do sleep 0.1; done",
		]);
		const stop = daemon.docker(["stop", "-t", "100", "stubborn"]);
		const upload = daemon.docker(["import", "-", "half:made"], { stdin: endless() });
		await Bun.sleep(300);
		await daemon.stop();
		expect((await stop).code).toBe(1);
		expect((await upload).code).toBe(1);
		await daemon.start();
		expect(await daemon.mustDocker(["images", "-q", "half"])).toBe("");
		expect((await inspectAll(daemon))[0]?.State.Status).toBe("running");
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
		await daemon.mustDocker(["rm", "-f", "stubborn"]);
	} finally {
		await daemon.remove();
		await removeCgroups();
	}
});

/** A tar archive of a member larger than what is sent of it. */
function endless(): Blob {
	const header = Buffer.alloc(512);
	header.write("file", 0);
	header.write("0000644\0", 100);
	header.write("0000000\0", 108);
	header.write("0000000\0", 116);
	header.write("77777777777\0", 124);
	header.write("00000000000\0", 136);
	header.write("        ", 148);
	header.write("0ustar\x0000", 156);
	const sum = header.reduce((total, byte) => total + byte, 0);
	header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
	return new Blob([header, Buffer.alloc(200 * 1024 * 1024)]);
}

test("two daemons live side by side, and one's end is nothing to the other", async () => {
	const before = await takeSnapshot();
	const first = await startedWith();
	const second = await startedWith();
	try {
		for (const daemon of [first, second])
			await daemon.mustDocker([
				"run",
				"-d",
				"--name",
				"web",
				"-v",
				"data:/data",
				"-p",
				"0:80",
				"busybox",
				"httpd",
				"-f",
				"-h",
				"/etc",
			]);
		const port = async (daemon: TestDaemon) => /:(\d+)$/m.exec(await daemon.mustDocker(["port", "web"]))?.[1] ?? "";
		const [firstPort, secondPort] = [await port(first), await port(second)];
		expect(firstPort).not.toBe(secondPort);
		const clash = await second.docker(["run", "--rm", "-p", `${firstPort}:80`, "busybox", "true"]);
		expect(clash.code).toBe(125);
		expect(clash.stderr).toContain("address already in use");
		const fetch = (at: string) => mustRun(["wget", "-T", "5", "-qO-", `http://127.0.0.1:${at}/hostname`]);
		await first.kill();
		expect([await fetch(firstPort), await fetch(secondPort)]).not.toContain("");
		await first.start();
		await second.mustDocker(["rm", "-f", "-v", "web"]);
		await second.mustDocker(["volume", "rm", "data"]);
		await second.stop();
		expect(await fetch(firstPort)).not.toBe("");
		expect(await first.mustDocker(["volume", "ls", "-q"])).toBe("data");
		expect(existsSync(second.socketPath)).toBe(false);
		await second.start();
		await first.mustDocker(["rm", "-f", "web"]);
		for (const daemon of [first, second]) expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
	} finally {
		await first.remove();
		await second.remove();
		await removeCgroups();
	}
	await expectNoLeaks(before, { isOurs: (entry) => first.isOurs(entry) || second.isOurs(entry) });
});
