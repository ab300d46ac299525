import { describe, expect, test } from "bun:test";
import { makeRecord } from "../../../test/support/container-record.ts";
import type { ContainerRecord } from "./container-record.ts";
import { inspectView } from "./inspect-view.ts";
import type { ContainerLifecycle } from "./state.ts";
import { statusName, statusText } from "./status.ts";
import { summaryView } from "./summary-view.ts";

const NOW = Date.UTC(2026, 0, 2);
const exit = { exitCode: 3, oomKilled: false, error: "", startedAt: NOW - 9000, finishedAt: NOW - 4000 };
const RUNNING: ContainerLifecycle = { kind: "running", pid: 7, startedAt: NOW - 300_000, oomKilled: false };

const context = {
	paths: { resolvConf: "/r", hostname: "/n", hosts: "/h" },
	snapshotter: { name: "overlay2", data: null },
	execIds: [],
	locations: {
		volume: (name: string) => ({ mountpoint: `/volumes/${name}`, driver: "local" }),
		image: ({ id }: { id: string }) => `/images/${id}`,
	},
	containerName: (reference: string) => (reference === "c0ffee" ? "redis" : reference),
	sandboxKey: "/netns/x",
	networkId: () => "n".repeat(64),
	image: "busybox",
	now: NOW,
};

const RECORD = makeRecord(
	{
		HostConfig: { PortBindings: { "80/tcp": [{}] }, Binds: ["vol:/v", "/src:/b:ro"], Tmpfs: { "/t": "" } },
		ExposedPorts: { "90/tcp": {} },
	},
	{
		lifecycle: RUNNING,
		mappings: [{ protocol: "tcp", containerPort: 80, hostAddress: "0.0.0.0", hostPort: 32768 }],
		endpoints: {
			bridge: {
				requested: { MacAddress: "02:42:ac:11:00:09" },
				assigned: {
					networkId: "n".repeat(64),
					endpointId: "e".repeat(64),
					address: "172.17.0.2",
					prefixLength: 16,
					gateway: "172.17.0.1",
					macAddress: "02:42:ac:11:00:09",
				},
			},
		},
	},
);

const inspect = (minor: number, record: ContainerRecord = RECORD) =>
	inspectView(record, { ...context, version: { major: 1, minor } });

test("status texts", () => {
	const states: [ContainerLifecycle, string, string][] = [
		[{ kind: "created" }, "created", "Created"],
		[RUNNING, "running", "Up 5 minutes"],
		[{ ...RUNNING, kind: "paused" }, "paused", "Up 5 minutes (Paused)"],
		[{ kind: "restarting", exit }, "restarting", "Restarting (3) 4 seconds ago"],
		[{ kind: "exited", exit }, "exited", "Exited (3) 4 seconds ago"],
		[{ kind: "exited", exit: { ...exit, startedAt: 0, finishedAt: 0, exitCode: 127 } }, "created", "Created"],
		[{ kind: "starting", previous: exit }, "exited", "Exited (3) 4 seconds ago"],
		[{ kind: "starting", previous: undefined }, "created", "Created"],
		[{ kind: "removing", exit }, "removing", "Removal In Progress"],
		[{ kind: "dead", exit }, "dead", "Dead"],
	];
	for (const [state, name, text] of states)
		expect([statusName(state), statusText(state, undefined, NOW)]).toEqual([name, text]);
	const health = { failingStreak: 0, log: [] };
	expect(statusText(RUNNING, { ...health, status: "starting" }, NOW)).toBe("Up 5 minutes (health: starting)");
	expect(statusText(RUNNING, { ...health, status: "unhealthy" }, NOW)).toBe("Up 5 minutes (unhealthy)");
});

describe("inspectView()", () => {
	test("links are shown as Docker shows them, whichever way they were written", () => {
		const hostConfig = { Links: ["db", "c0ffee:cache", "/web:/other/front"] };
		const linked = makeRecord({}, { name: "app", hostConfig });
		expect(inspect(51, linked).HostConfig.Links).toEqual(["/db:/app/db", "/redis:/app/cache", "/web:/app/front"]);
		expect(inspect(51).HostConfig.Links).toBeNull();
	});

	test("the state of a running, a restarting and a never started container", () => {
		const state = (lifecycle: ContainerLifecycle) => {
			const {
				Status,
				Running,
				Restarting,
				Pid,
				ExitCode,
				Error: reason,
				StartedAt,
				FinishedAt,
			} = inspect(51, {
				...RECORD,
				lifecycle,
			}).State;
			return [Status, Running, Restarting, Pid, ExitCode, reason, StartedAt, FinishedAt];
		};
		const zero = "0001-01-01T00:00:00Z";
		expect(state(RUNNING)).toEqual(["running", true, false, 7, 0, "", "2026-01-01T23:55:00Z", zero]);
		expect(state({ kind: "restarting", exit })).toEqual([
			"restarting",
			true,
			true,
			0,
			3,
			"",
			"2026-01-01T23:59:51Z",
			"2026-01-01T23:59:56Z",
		]);
		const failed = { ...exit, exitCode: 127, error: "not found", startedAt: 0, finishedAt: 0 };
		expect(state({ kind: "exited", exit: failed })).toEqual(["created", false, false, 0, 127, "not found", zero, zero]);
	});

	test("the default bridge's settings stand at the top until API 1.52", () => {
		const keys = (minor: number) => Object.keys(inspect(minor).NetworkSettings);
		expect(keys(52)).toEqual(["SandboxID", "SandboxKey", "Ports", "Networks"]);
		expect(keys(51)).toContain("IPAddress");
		expect(inspect(24).NetworkSettings.IPAddress).toBe("172.17.0.2");
	});

	test("the container's MAC address stands in its configuration before API 1.44", () => {
		expect([inspect(43).Config.MacAddress, inspect(44).Config.MacAddress]).toEqual(["02:42:ac:11:00:09", undefined]);
	});

	test("published ports have bindings, exposed ones null, and none when it does not run", () => {
		expect(inspect(51).NetworkSettings.Ports).toEqual({
			"80/tcp": [{ HostIp: "0.0.0.0", HostPort: "32768" }],
			"90/tcp": null,
		});
		const stopped = inspect(51, { ...RECORD, lifecycle: { kind: "exited", exit } }).NetworkSettings;
		expect([stopped.Ports, stopped.SandboxKey]).toEqual([{}, ""]);
	});

	test("mounts show volumes by name and leave --tmpfs out", () => {
		expect(inspect(51).Mounts).toEqual([
			{
				Type: "volume",
				Name: "vol",
				Source: "/volumes/vol",
				Destination: "/v",
				Driver: "local",
				Mode: "z",
				RW: true,
				Propagation: "",
			},
			{ Type: "bind", Source: "/src", Destination: "/b", Mode: "ro", RW: false, Propagation: "rprivate" },
		]);
		expect(inspect(51).HostConfig.Tmpfs).toEqual({ "/t": "" });
	});

	test("empty maps and lists are null, empty or absent as Docker has them", () => {
		const { HostConfig, Config, ExecIDs } = inspect(51, makeRecord());
		const absent = ["Mounts", "Tmpfs", "Sysctls", "Annotations", "Init", "StorageOpt"].filter(
			(key) => key in HostConfig,
		);
		expect([absent, HostConfig.Binds, HostConfig.PortBindings, HostConfig.Devices, ExecIDs]).toEqual([
			[],
			null,
			{},
			null,
			null,
		]);
		expect(["ExposedPorts", "Healthcheck", "StopSignal", "Shell"].filter((key) => key in Config)).toEqual([]);
		expect([Config.Volumes, Config.OnBuild, Config.Labels]).toEqual([null, null, {}]);
	});
});

describe("summaryView()", () => {
	const summary = (minor: number, record: ContainerRecord = RECORD) =>
		summaryView(record, { ...context, version: { major: 1, minor } });
	test("ports are listed each", () => {
		expect(summary(51).Ports).toEqual([
			{ PrivatePort: 90, Type: "tcp" },
			{ IP: "0.0.0.0", PrivatePort: 80, PublicPort: 32768, Type: "tcp" },
		]);
	});
	test("health and annotations come with the versions that know them", () => {
		const record = makeRecord({ HostConfig: { Annotations: { a: "b" } } });
		expect([summary(51, record).Health, summary(52, record).Health]).toEqual([
			undefined,
			{ Status: "none", FailingStreak: 0 },
		]);
		expect([summary(45, record).HostConfig, summary(46, record).HostConfig]).toEqual([
			{ NetworkMode: "bridge" },
			{ NetworkMode: "bridge", Annotations: { a: "b" } },
		]);
	});
	test("the command is one line, its arguments with spaces quoted", () => {
		expect(summary(51, makeRecord({ Entrypoint: ["sh"], Cmd: ["-c", "echo a b"] })).Command).toBe("sh -c 'echo a b'");
	});
});
