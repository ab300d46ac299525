/** What a daemon keeps of containers that are gone: nothing. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { auditDaemon } from "../../support/audit.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { expectNoLeaks, takeSnapshot } from "../../support/leaks.ts";

const CGROUPS = `/gantry-test-leaks-${process.pid}`;
const CLIENTS = 4;

/** What each open descriptor is; sockets and pipes without their numbers. */
function descriptors(pid: number): string[] {
	return readdirSync(`/proc/${pid}/fd`)
		.flatMap((fd) => {
			try {
				return [readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]/, "")];
			} catch {
				return []; // closed meanwhile
			}
		})
		.sort();
}

/** What is in `after` more often than in `before`. */
function added(before: readonly string[], after: readonly string[]): string[] {
	const rest = [...before];
	return after.filter((entry) => {
		const at = rest.indexOf(entry);
		if (at >= 0) rest.splice(at, 1);
		return at < 0;
	});
}

function threads(pid: number): number {
	return readdirSync(`/proc/${pid}/task`).length;
}

function residentBytes(pid: number): number {
	return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

function zombies(pid: number): string[] {
	return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
		.split(" ")
		.filter((child) => child !== "" && readFileSync(`/proc/${child}/stat`, "utf8").includes(") Z "));
}

/** `run --rm` in all its steps: create, attach, wait, start, the output, the exit, the removal; and an exec in every fourth. */
async function runOnce(daemon: TestDaemon, number: number): Promise<void> {
	const json = async (method: string, path: string, body?: Readonly<Record<string, unknown>>) => {
		const reply = await daemon.api(method, path, body);
		const text = await reply.text();
		if (!reply.ok) throw new Error(`${path}: ${reply.status} ${text}`);
		return text === "" ? {} : JSON.parse(text);
	};
	const withExec = number % 4 === 0;
	const { Id } = await json("POST", "/containers/create", {
		Image: "busybox",
		Cmd: ["sh", "-c", withExec ? "echo out; exec sleep 1000" : "echo out"],
		Volumes: { "/v": {} },
		ExposedPorts: { "80/tcp": {} },
		HostConfig: { AutoRemove: true, PublishAllPorts: true },
	});
	const attached = daemon.api("POST", `/containers/${Id}/attach?stream=1&stdout=1`);
	const removed = json("POST", `/containers/${Id}/wait?condition=removed`);
	await Bun.sleep(1);
	await json("POST", `/containers/${Id}/start`);
	if (withExec) {
		const exec = await json("POST", `/containers/${Id}/exec`, { Cmd: ["true"], AttachStdout: true });
		await (await daemon.api("POST", `/exec/${exec.Id}/start`, { Detach: false })).arrayBuffer();
		await json("POST", `/containers/${Id}/kill`);
	}
	await (await attached).arrayBuffer();
	expect(await removed).toMatchObject({ StatusCode: withExec ? 137 : 0 });
}

async function runMany(daemon: TestDaemon, count: number): Promise<void> {
	let next = 0;
	const client = async () => {
		while (next < count) await runOnce(daemon, next++);
	};
	await Promise.all(Array.from({ length: CLIENTS }, client));
}

test("200 times run --rm leave no descriptor, thread, child, mount, link, rule, cgroup or process", async () => {
	const before = await takeSnapshot();
	const daemon = await TestDaemon.start({ args: [`--cgroup-parent=${CGROUPS}`] });
	try {
		await daemon.loadBusybox();
		// What is made once and kept: warm namespaces, thread pools, caches.
		await runMany(daemon, 20);
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
		await Bun.sleep(300);
		const start = {
			descriptors: descriptors(daemon.pid),
			threads: threads(daemon.pid),
			memory: residentBytes(daemon.pid),
		};
		await runMany(daemon, 200);
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
		const now = () => descriptors(daemon.pid);
		await waitFor("the connections to go", () => now().length <= start.descriptors.length, 5_000).catch(() => {});
		const more = added(start.descriptors, now());
		expect(more.filter((entry) => entry !== "socket:")).toEqual([]);
		// This process keeps some connections open for its next requests.
		expect(more.length).toBeLessThan(3 * CLIENTS);
		// Bun's own pool may still grow by a few; one for each container would be hundreds.
		expect(threads(daemon.pid)).toBeLessThan(start.threads + 10);
		// The collector takes its time; what counts is that it is no matter of hundreds of kilobytes for each container.
		expect(residentBytes(daemon.pid) - start.memory).toBeLessThan(64 * 1024 * 1024);
		expect(zombies(daemon.pid)).toEqual([]);
		expect(await daemon.mustDocker(["volume", "ls", "-q"])).toBe("");
	} finally {
		await daemon.remove();
		await mustRun(["sh", "-c", `for path in /sys/fs/cgroup/*${CGROUPS}; do [ ! -d "$path" ] || rmdir "$path"; done`]);
	}
	await expectNoLeaks(before, { isOurs: daemon.isOurs });
}, 180_000);

test("clients that go away in the middle leave nothing behind", async () => {
	const daemon = await TestDaemon.start({ args: [`--cgroup-parent=${CGROUPS}`] });
	try {
		await daemon.loadBusybox();
		await daemon.mustDocker([
			"run",
			"-d",
			"--name",
			"talker",
			"busybox",
			"sh",
			"-c",
			"while :; do echo tick; sleep 0.01; done",
		]);
		const go = async () => {
			const abort = new AbortController();
			const options = { unix: daemon.socketPath, signal: abort.signal };
			const paths = [
				"/events",
				"/containers/talker/logs?follow=1&stdout=1",
				"/containers/talker/stats",
				"/images/busybox/get",
				"/containers/talker/export",
			];
			const posts = ["/containers/talker/attach?stream=1&stdout=1", "/containers/talker/wait?condition=removed"];
			const requests = [
				...paths.map((path) => fetch(`http://gantry${path}`, options)),
				...posts.map((path) => fetch(`http://gantry${path}`, { ...options, method: "POST" })),
			];
			await Bun.sleep(50);
			abort.abort();
			await Promise.allSettled(requests);
		};
		for (let round = 0; round < 3; round++) await go();
		await Bun.sleep(300);
		const start = descriptors(daemon.pid);
		for (let round = 0; round < 20; round++) await go();
		await waitFor("the streams to go", () => descriptors(daemon.pid).length <= start.length, 5_000).catch(() => {});
		expect(added(start, descriptors(daemon.pid))).toEqual([]);
		await daemon.mustDocker(["rm", "-f", "talker"]);
		expect(await auditDaemon(daemon, { cgroupParent: CGROUPS })).toEqual([]);
	} finally {
		await daemon.remove();
		await mustRun(["sh", "-c", `for path in /sys/fs/cgroup/*${CGROUPS}; do [ ! -d "$path" ] || rmdir "$path"; done`]);
	}
});
