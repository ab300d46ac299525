/** What happened while no daemon was there: it finds out and puts it right. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { inspectAll } from "../../support/audit.ts";
import { mustRun, runCommand, waitFor } from "../../support/commands.ts";
import { DoomedDaemon } from "./doomed-daemon.ts";
import { SLEEPER, WAITER } from "./operation.ts";
import { seededRandom } from "./random.ts";

let doomed: DoomedDaemon;
beforeAll(async () => {
	doomed = await DoomedDaemon.start();
});
afterAll(async () => {
	await doomed[Symbol.asyncDispose]();
});
afterEach(async () => {
	if (!doomed.daemon.isRunning) await doomed.daemon.start();
	await removeAll();
	expect(await doomed.audit()).toEqual([]);
});

async function request(method: string, path: string, body?: Readonly<Record<string, unknown>>): Promise<Response> {
	const reply = await doomed.daemon.api(method, path, body);
	if (!reply.ok && reply.status !== 304) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
	return reply;
}

async function run(name: string, config: Readonly<Record<string, unknown>>): Promise<number> {
	await request("POST", `/containers/create?name=${name}`, { Image: "busybox", ...config });
	await request("POST", `/containers/${name}/start`);
	return (await stateOf(name)).Pid;
}

interface State {
	readonly Status: string;
	readonly ExitCode: number;
	readonly Pid: number;
	readonly Paused: boolean;
	readonly FinishedAt: string;
}

async function stateOf(name: string): Promise<State> {
	return ((await (await request("GET", `/containers/${name}/json`)).json()) as { State: State }).State;
}

async function removeAll(): Promise<void> {
	const list = (await (await request("GET", "/containers/json?all=1")).json()) as { Id: string }[];
	for (const { Id } of list) await doomed.daemon.api("DELETE", `/containers/${Id}?force=1&v=1`);
	await request("POST", '/volumes/prune?filters={"all":["true"]}');
}

function signal(pid: number, name: NodeJS.Signals): void {
	process.kill(pid, name);
}

async function gone(pid: number): Promise<void> {
	await waitFor(`process ${pid} to end`, () => {
		try {
			process.kill(pid, 0);
			return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
		} catch {
			return true; // ESRCH, ENOENT
		}
	});
}

/** The monitor of a container is the parent of its first process. */
function monitorOf(pid: number): number {
	return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** As after a power cut: nothing of the run-time is left, the disk is. */
async function pretendReboot(): Promise<void> {
	const { daemon } = doomed;
	const running = (await inspectAll(daemon)).filter(({ State }) => State.Running);
	await daemon.kill();
	for (const { State } of running) signal(monitorOf(State.Pid), "SIGKILL");
	for (const { State } of running) signal(State.Pid, "SIGKILL");
	for (const { State } of running) await gone(State.Pid);
	const mounts = readFileSync("/proc/self/mountinfo", "utf8")
		.split("\n")
		.map((line) => line.split(" ")[4] ?? "");
	for (const path of mounts.filter((path) => path.startsWith(`${daemon.directory}/`)).reverse())
		await runCommand(["umount", "-l", path]);
	await mustRun(["rm", "-rf", daemon.execRoot]);
	await runCommand(["ip", "link", "delete", daemon.bridge]);
	for (const family of ["ip", "ip6"]) await runCommand(["nft", "delete", "table", family, `gantry-${daemon.bridge}`]);
	for (const { Id } of running) await runCommand(["crun", "delete", "--force", Id]);
}

describe("a daemon that was killed", () => {
	test("finds what runs running, with its log, address and ports", async () => {
		const { daemon } = doomed;
		const echo = "while :; do echo tick; sleep 0.05; done";
		await run("talker", {
			Cmd: ["sh", "-c", echo],
			StopSignal: "SIGKILL",
			ExposedPorts: { "80/tcp": {} },
			HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "" }] } },
		});
		await run("listener", {
			Cmd: ["sh", "-c", "httpd -f -p 80 -h /etc"],
			ExposedPorts: { "80/tcp": {} },
			HostConfig: { PublishAllPorts: true },
		});
		const before = await daemon.mustDocker(["inspect", "talker", "listener"]);
		const port = /:(\d+)$/m.exec(await daemon.mustDocker(["port", "listener"]))?.[1] ?? "";
		await daemon.kill();
		expect(await mustRun(["wget", "-qO-", `http://127.0.0.1:${port}/hostname`]).catch(() => "down")).not.toBe("down");
		await Bun.sleep(200);
		await daemon.start();
		expect(await daemon.mustDocker(["inspect", "talker", "listener"])).toBe(before);
		const ticks = (await daemon.mustDocker(["logs", "talker"])).split("\n").length;
		expect(ticks).toBeGreaterThan(4);
		await waitFor(
			"the log to grow",
			async () => (await daemon.mustDocker(["logs", "talker"])).split("\n").length > ticks,
		);
		expect(await mustRun(["wget", "-qO-", `http://127.0.0.1:${port}/hostname`])).not.toBe("");
		// Neither address nor port is given to another.
		await run("third", { ...SLEEPER, ExposedPorts: { "80/tcp": {} }, HostConfig: { PublishAllPorts: true } });
		const clash = await daemon.docker(["run", "-d", "--name", "clash", "-p", `${port}:80`, "busybox", "true"]);
		expect(clash.code).toBe(125);
		expect(clash.stderr).toContain("port is already allocated");
		expect(await doomed.audit()).toEqual([]);
	});

	test("notes the exit codes and times of what ended meanwhile, removes --rm, restarts by policy", async () => {
		const { daemon } = doomed;
		const policy = (Name: string) => ({ HostConfig: { RestartPolicy: { Name } } });
		const pids = {
			plain: await run("plain", WAITER),
			rm: await run("rm", { ...WAITER, Volumes: { "/v": {} }, HostConfig: { AutoRemove: true } }),
			always: await run("always", { ...WAITER, ...policy("always") }),
			failure: await run("failure", { ...WAITER, ...policy("on-failure") }),
			success: await run("success", { ...WAITER, ...policy("on-failure") }),
			unless: await run("unless", { ...WAITER, ...policy("unless-stopped") }),
		};
		await run("stopped", { ...WAITER, ...policy("unless-stopped") });
		await request("POST", "/containers/stopped/stop");
		await run("stopped-always", { ...WAITER, ...policy("always") });
		await request("POST", "/containers/stopped-always/stop");
		await daemon.kill();
		for (const [name, pid] of Object.entries(pids)) signal(pid, name === "success" ? "SIGTERM" : "SIGUSR1");
		for (const pid of Object.values(pids)) await gone(pid);
		const endedAt = Date.now();
		await Bun.sleep(50);
		await daemon.start();
		expect(await stateOf("plain")).toMatchObject({ Status: "exited", ExitCode: 7 });
		expect(Date.parse((await stateOf("plain")).FinishedAt)).toBeLessThanOrEqual(endedAt);
		expect((await daemon.api("GET", "/containers/rm/json")).status).toBe(404);
		expect(await (await request("GET", "/volumes")).json()).toMatchObject({ Volumes: [] });
		for (const name of ["always", "failure", "unless", "stopped-always"])
			await waitFor(`${name} to run again`, async () => (await stateOf(name)).Status === "running");
		expect(await stateOf("success")).toMatchObject({ Status: "exited", ExitCode: 0 });
		expect((await stateOf("stopped")).Status).toBe("exited");
		expect(await doomed.audit()).toEqual([]);
	});

	test("keeps what is paused paused, and ends it on request", async () => {
		await run("paused", WAITER);
		await request("POST", "/containers/paused/pause");
		await doomed.daemon.kill();
		await doomed.daemon.start();
		expect((await stateOf("paused")).Paused).toBe(true);
		await request("POST", "/containers/paused/unpause");
		await request("POST", "/containers/paused/stop");
		expect(await stateOf("paused")).toMatchObject({ Status: "exited", ExitCode: 0 });
	});

	test("leaves an exec that goes on to its end, and its monitor goes with it", async () => {
		const pid = await run("host", SLEEPER);
		const { Id } = (await (await request("POST", "/containers/host/exec", { Cmd: ["sleep", "0.6"] })).json()) as {
			Id: string;
		};
		await request("POST", `/exec/${Id}/start`, { Detach: true });
		await doomed.daemon.kill();
		await doomed.daemon.start();
		expect((await stateOf("host")).Pid).toBe(pid);
		expect(await doomed.audit()).toEqual([]);
	});

	test("waits with its client's words for an attached client: the container is not disturbed", async () => {
		const { daemon } = doomed;
		let seen = "";
		const onStdout = (text: string) => {
			seen += text;
		};
		const script = "echo begun; sleep 1; echo done";
		const client = daemon.docker(["run", "--name", "attached", "busybox", "sh", "-c", script], { onStdout });
		await waitFor("its start", () => seen === "begun\n");
		await daemon.kill();
		const { code, stdout } = await client;
		expect(stdout).toBe("begun\n");
		expect(code).not.toBe(0);
		await daemon.start();
		expect(await daemon.mustDocker(["wait", "attached"])).toBe("0");
		expect(await daemon.mustDocker(["logs", "attached"])).toBe("begun\ndone");
	});

	test("can be killed while it recovers, too", async () => {
		const { daemon } = doomed;
		const random = seededRandom(21);
		for (let round = 0; round < 6; round++) {
			const ports = { ExposedPorts: { "80/tcp": {} }, HostConfig: { PublishAllPorts: true } };
			const ending = await run("ending", { ...WAITER, ...ports });
			const removed = await run("removed", { ...WAITER, Volumes: { "/v": {} }, HostConfig: { AutoRemove: true } });
			const again = await run("again", { ...WAITER, HostConfig: { RestartPolicy: { Name: "always" } } });
			const staying = await run("staying", { ...SLEEPER, ...ports });
			await daemon.kill();
			for (const pid of [ending, removed, again]) signal(pid, "SIGUSR1");
			for (const pid of [ending, removed, again]) await gone(pid);
			const call = 1 + Math.floor(random.next() * 60);
			doomed.orderDeath(call);
			await daemon.start().catch(() => {});
			await waitFor("its death", () => !daemon.isRunning, 300).catch(() => {});
			doomed.cancelDeath();
			if (!daemon.isRunning) await daemon.start();
			expect({ call, ...(await stateOf("ending")) }).toMatchObject({ call, Status: "exited", ExitCode: 7 });
			expect((await daemon.api("GET", "/containers/removed/json")).status).toBe(404);
			await waitFor("the restart", async () => (await stateOf("again")).Status === "running");
			expect({ call, pid: (await stateOf("staying")).Pid }).toEqual({ call, pid: staying });
			expect({ call, findings: await doomed.audit() }).toEqual({ call, findings: [] });
			await removeAll();
		}
	}, 60_000);
});

describe("a monitor that was killed", () => {
	test("is noticed by a running daemon: its container ends with 137, and goes on by its policy", async () => {
		const pid = await run("orphan", { ...SLEEPER, HostConfig: { RestartPolicy: { Name: "always" } } });
		const plain = await run("plain", SLEEPER);
		signal(monitorOf(pid), "SIGKILL");
		signal(monitorOf(plain), "SIGKILL");
		await waitFor("the restart", async () => {
			const { Status, Pid } = await stateOf("orphan");
			return Status === "running" && Pid !== pid;
		});
		await waitFor("the end", async () => (await stateOf("plain")).Status === "exited");
		expect((await stateOf("plain")).ExitCode).toBe(137);
		await gone(pid);
		await gone(plain);
		expect(await doomed.audit()).toEqual([]);
	});

	test("while no daemon was there takes its container along", async () => {
		const pid = await run("orphan", {
			...SLEEPER,
			ExposedPorts: { "80/tcp": {} },
			HostConfig: { PublishAllPorts: true },
		});
		const monitor = monitorOf(pid);
		await doomed.daemon.kill();
		signal(monitor, "SIGKILL");
		await gone(monitor);
		await doomed.daemon.start();
		expect(await stateOf("orphan")).toMatchObject({ Status: "exited", Pid: 0 });
		await gone(pid);
		expect(await doomed.audit()).toEqual([]);
		await request("POST", "/containers/orphan/start");
	});

	test("of an exec leaves the container alone", async () => {
		const pid = await run("host", SLEEPER);
		const { Id } = (await (await request("POST", "/containers/host/exec", { Cmd: ["sleep", "100"] })).json()) as {
			Id: string;
		};
		await request("POST", `/exec/${Id}/start`, { Detach: true });
		const exec = (await (await request("GET", `/exec/${Id}/json`)).json()) as { Pid: number };
		signal(monitorOf(exec.Pid), "SIGKILL");
		await waitFor("its end", async () => {
			const { Running } = (await (await request("GET", `/exec/${Id}/json`)).json()) as { Running: boolean };
			return !Running;
		});
		await gone(exec.Pid);
		expect((await stateOf("host")).Pid).toBe(pid);
		expect(await doomed.audit()).toEqual([]);
	});
});

test("a first process that was killed from outside is exit code 137", async () => {
	const pid = await run("victim", SLEEPER);
	signal(pid, "SIGKILL");
	await waitFor("its end", async () => (await stateOf("victim")).Status === "exited");
	expect((await stateOf("victim")).ExitCode).toBe(137);
	expect(await doomed.audit()).toEqual([]);
});

test("after a reboot of the machine what ran has ended, policies hold, and everything can start again", async () => {
	const { daemon } = doomed;
	const ports = { ExposedPorts: { "80/tcp": {} }, HostConfig: { PublishAllPorts: true } };
	await run("plain", { ...SLEEPER, ...ports });
	await run("always", {
		...SLEEPER,
		HostConfig: { RestartPolicy: { Name: "always" }, ShmSize: 1 << 20, IpcMode: "shareable" },
	});
	await run("unless", { ...SLEEPER, HostConfig: { RestartPolicy: { Name: "unless-stopped" } } });
	await run("rm", { ...SLEEPER, HostConfig: { AutoRemove: true } });
	await run("kept", { ...SLEEPER, HostConfig: { Binds: ["kept:/kept"] } });
	await mustRun(["sh", "-c", `echo data > ${daemon.dataRoot}/volumes/kept/_data/file`]);
	await daemon.mustDocker(["exec", "plain", "sh", "-c", "echo mine > /file"]);
	await pretendReboot();
	await daemon.start();
	expect(await stateOf("plain")).toMatchObject({ Status: "exited", ExitCode: 255 });
	expect((await daemon.api("GET", "/containers/rm/json")).status).toBe(404);
	for (const name of ["always", "unless"])
		await waitFor(`${name} to run again`, async () => (await stateOf(name)).Status === "running");
	expect(await doomed.audit()).toEqual([]);
	await request("POST", "/containers/plain/start");
	await request("POST", "/containers/kept/start");
	expect(await daemon.mustDocker(["exec", "plain", "cat", "/file"])).toBe("mine");
	expect(await daemon.mustDocker(["exec", "kept", "cat", "/kept/file"])).toBe("data");
	// The monitors of the two execs end after their clients.
	await waitFor("four monitors", () => readdirSync(`${daemon.execRoot}/shim`).length === 4);
});

test("what is no daemon's work, or half of it, keeps no daemon from starting", async () => {
	const { daemon } = doomed;
	const pid = await run("stays", { ...SLEEPER, ExposedPorts: { "80/tcp": {} }, HostConfig: { PublishAllPorts: true } });
	await daemon.kill();
	const { dataRoot, execRoot } = daemon;
	const id = "f".repeat(64);
	for (const directory of [
		`${execRoot}/shim/.stray`,
		`${execRoot}/shim/${id}`,
		`${execRoot}/bundles/${id}`,
		`${dataRoot}/containers/${id}`,
		`${dataRoot}/snapshots/containers/${id}/upper`,
		`${dataRoot}/snapshots/ingest/half`,
		`${dataRoot}/snapshots/layers/${id}`,
		`${dataRoot}/snapshots/layers/stray`,
	])
		mkdirSync(directory, { recursive: true });
	for (const file of [
		`${execRoot}/shim/file`,
		`${execRoot}/shim/${id}/spec`,
		`${execRoot}/netns/${id}`,
		`${execRoot}/endpoints/${id}.json`,
		`${execRoot}/endpoints/stray`,
		`${dataRoot}/snapshots/layers/${id}/layer.json`,
		`${dataRoot}/content/ingest/file`,
	])
		writeFileSync(file, "{");
	await daemon.start();
	expect((await stateOf("stays")).Pid).toBe(pid);
	for (const stray of [`${execRoot}/shim/.stray`, `${execRoot}/shim/file`, `${execRoot}/endpoints/stray`])
		rmSync(stray, { recursive: true, force: true });
	expect(await doomed.audit()).toEqual([]);
});
