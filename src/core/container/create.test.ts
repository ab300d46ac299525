import { describe, expect, test } from "bun:test";
import { settle } from "../../../test/support/container-record.ts";
import type { ContainerConfig, ContainerCreateRequest, HostConfig } from "../../api/engine/container.ts";
import { errorKind, errorMessage } from "../../base/errors.ts";
import { mergeConfig } from "./merge-config.ts";
import { normaliseName } from "./name.ts";

function refusal(request: ContainerCreateRequest, minor = 51): string {
	try {
		settle(request, minor);
		return "accepted";
	} catch (error) {
		return `${errorKind(error)}: ${errorMessage(error)}`;
	}
}

const MEGABYTE = 1024 ** 2;

describe("normaliseCreate() refuses in Docker's words", () => {
	const cases: [ContainerCreateRequest, string][] = [
		[{ Env: ["=x"] }, "invalid environment variable: =x"],
		[{ WorkingDir: "rel" }, "the working directory 'rel' is invalid, it needs to be an absolute path"],
		[{ StopSignal: "FOO" }, "invalid signal: FOO"],
		[{ MacAddress: "zz" }, "invalid config for network bridge: invalid MAC address zz"],
		[{ Healthcheck: { Test: ["CMD", "x"], Interval: 1 } }, "Interval in Healthcheck cannot be less than 1ms"],
		[
			{ Healthcheck: { Test: ["CMD", "x"], StartInterval: -1 } },
			"StartInterval in Healthcheck cannot be less than 1ms",
		],
		[{ Healthcheck: { Test: ["CMD", "x"], Retries: -1 } }, "Retries in Healthcheck cannot be negative"],
		[{ Volumes: { "/": {} } }, "invalid specification: destination can't be '/'"],
		[
			{ NetworkingConfig: { EndpointsConfig: { bridge: null } } },
			"invalid config for network bridge: EndpointsConfig is nil",
		],
		[
			{ NetworkingConfig: { EndpointsConfig: { bridge: { Aliases: ["x"] } } } },
			"invalid config for network bridge: invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks",
		],
		[
			{ NetworkingConfig: { EndpointsConfig: { bridge: { IPAMConfig: { IPv4Address: "x" } } } } },
			"invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* invalid IPv4 address: x\n* user specified IP address is supported only when connecting to networks with user configured subnets",
		],
		[
			{ Hostname: "x", HostConfig: { NetworkMode: "container:other" } },
			"conflicting options: hostname and the network mode",
		],
		[
			{ ExposedPorts: { "80/tcp": {} }, HostConfig: { NetworkMode: "container:other" } },
			"conflicting options: port exposing and the container type network mode",
		],
		[{ Hostname: "x", HostConfig: { UTSMode: "host" } }, "conflicting options: hostname and the UTS mode"],
	];
	for (const [request, message] of cases)
		test(JSON.stringify(request), () => {
			expect(refusal(request)).toBe(`invalid-parameter: ${message}`);
		});
});

test("normaliseCreate() lets an image that exposes ports share another container's network", () => {
	const request = { HostConfig: { NetworkMode: "container:other" } };
	const { config, endpoints } = settle(request, 51, { Cmd: ["redis"], ExposedPorts: { "6379/tcp": {} } });
	expect([config.ExposedPorts, endpoints]).toEqual([{ "6379/tcp": {} }, {}]);
});

describe("normaliseCreate() refuses host configurations in Docker's words", () => {
	const cases: [HostConfig, string][] = [
		[{ Memory: 100 }, "Minimum memory limit allowed is 6MB"],
		[
			{ Memory: 10 * MEGABYTE, MemorySwap: 5 * MEGABYTE },
			"Minimum memoryswap limit should be larger than memory limit, see usage",
		],
		[{ MemorySwap: 5 * MEGABYTE }, "You should always set the Memory limit when using Memoryswap limit, see usage"],
		[{ MemoryReservation: 100 }, "Minimum memory reservation allowed is 6MB"],
		[
			{ Memory: 10 * MEGABYTE, MemoryReservation: 20 * MEGABYTE },
			"Minimum memory limit can not be less than memory reservation limit, see usage",
		],
		[{ MemorySwappiness: 101 }, "Invalid value: 101, valid memory swappiness range is 0-100"],
		[{ NanoCpus: -1 }, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
		[{ NanoCpus: 1e9, CpuPeriod: 1000 }, "Conflicting options: Nano CPUs and CPU Period cannot both be set"],
		[{ CpuPeriod: 5 }, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"],
		[{ CpuQuota: 5 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
		[{ CpuShares: -1 }, "invalid CPU shares (-1): value must be a positive integer"],
		[{ CpusetCpus: "x" }, "Invalid value x for cpuset cpus: invalid format: x"],
		[{ CpusetCpus: "0-99" }, "Requested CPUs are not available - requested 0-99, available: 0-1"],
		[{ CpusetMems: "9" }, "Requested memory nodes are not available - requested 9, available: 0"],
		[{ BlkioWeight: 5 }, "Range of blkio weight is from 10 to 1000"],
		[{ OomScoreAdj: 2000 }, "Invalid value 2000, range for oom score adj is [-1000, 1000]"],
		[{ ShmSize: -1 }, "SHM size can not be less than 0"],
		[
			{ RestartPolicy: { Name: "always", MaximumRetryCount: 3 } },
			"invalid restart policy: maximum retry count can only be used with 'on-failure'",
		],
		[
			{ RestartPolicy: { Name: "on-failure", MaximumRetryCount: -3 } },
			"invalid restart policy: maximum retry count cannot be negative",
		],
		[
			{ RestartPolicy: { Name: "always" }, AutoRemove: true },
			"can't create 'AutoRemove' container with restart policy",
		],
		[{ NetworkMode: "container:" }, "invalid network mode: invalid container format container:<name|id>"],
		[{ IpcMode: "foo" }, "invalid IPC mode: foo"],
		[{ PidMode: "container:" }, "invalid PID mode: container:"],
		[{ PidMode: "container:nosuch" }, "No such container: nosuch"],
		[{ UTSMode: "foo" }, "invalid UTS mode: foo"],
		[{ Isolation: "hyperv" }, "invalid isolation (hyperv): linux only supports 'default'"],
		[{ Runtime: "foo" }, "unknown or invalid runtime name: foo"],
		[{ CapAdd: ["FOO"] }, 'invalid CapAdd: unknown capability: "CAP_FOO"'],
		[{ ExtraHosts: ["foo"] }, 'bad format for add-host: "foo"'],
		[{ ExtraHosts: ["foo:bar"] }, 'invalid IP address in add-host: "bar"'],
		[{ PortBindings: { "80/tcp": [{ HostPort: "90-80" }] } }, 'invalid port specification: "90-80"'],
		[{ Annotations: { "": "x" } }, "invalid Annotations: the empty string is not permitted as an annotation key"],
		[{ Tmpfs: { rel: "" } }, "invalid mount path: 'rel' mount path must be absolute"],
		[{ LogConfig: { Type: "foo" } }, 'error looking up logging plugin foo: plugin "foo" not found'],
		[{ LogConfig: { Type: "local", Config: { foo: "x" } } }, "unknown log opt 'foo' for log driver local"],
		[
			{ LogConfig: { Config: { "max-buffer-size": "1m" } } },
			"logger: max-buffer-size option is only supported with 'mode=non-blocking'",
		],
		[{ Ulimits: [{ Name: "foo", Soft: 1, Hard: 1 }] }, "invalid ulimit type: foo"],
		[{ DeviceCgroupRules: ["x"] }, "invalid device cgroup rule format: 'x'"],
		[{ VolumesFrom: [""] }, "volumes-from specification cannot be an empty string"],
		[{ VolumesFrom: ["other:foo"] }, "invalid mode: foo"],
	];
	for (const [HostConfig, message] of cases)
		test(JSON.stringify(HostConfig), () => {
			expect(refusal({ HostConfig })).toBe(`invalid-parameter: ${message}`);
		});
	test("what is not there yet says so", () => {
		const kinds = [
			{ DeviceRequests: [{ Count: -1, Capabilities: [["gpu"]] }] },
			{ StorageOpt: { size: "1G" } },
			{ LogConfig: { Type: "syslog" } },
			{ SecurityOpt: ["label=type:x"] },
		].map((HostConfig) => refusal({ HostConfig }).split(":")[0]);
		expect(kinds).toEqual(["not-implemented", "not-implemented", "not-implemented", "not-implemented"]);
	});
	test("security options that are none get Docker's 500", () => {
		expect(refusal({ HostConfig: { SecurityOpt: ["foo=bar"] } })).toBe('system: invalid --security-opt 2: "foo=bar"');
	});
});

test("every default is filled in", () => {
	const { config, hostConfig, endpoints, warnings } = settle({
		HostConfig: { Memory: 10 * MEGABYTE, CapAdd: ["net_admin", "all"] },
	});
	expect([config.Hostname, config.Cmd, config.Labels, Object.keys(endpoints), warnings]).toEqual([
		"0123456789ab",
		["sh"],
		{},
		["bridge"],
		[],
	]);
	const { NetworkMode, IpcMode, CgroupnsMode, ShmSize, Runtime, MemorySwap, CapAdd, RestartPolicy } = hostConfig;
	expect({ NetworkMode, IpcMode, CgroupnsMode, ShmSize, Runtime, MemorySwap, CapAdd, RestartPolicy }).toEqual({
		NetworkMode: "bridge",
		IpcMode: "private",
		CgroupnsMode: "private",
		ShmSize: 64 * MEGABYTE,
		Runtime: "crun",
		MemorySwap: 20 * MEGABYTE,
		CapAdd: ["ALL", "CAP_NET_ADMIN"],
		RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
	});
});

test("older clients get the defaults of their time", () => {
	const { hostConfig } = settle({ HostConfig: { ConsoleSize: [1, 2], Annotations: { a: "b" } } }, 39);
	expect([hostConfig.IpcMode, hostConfig.CgroupnsMode, hostConfig.ConsoleSize, hostConfig.Annotations]).toEqual([
		"shareable",
		"host",
		[0, 0],
		null,
	]);
});

test("containers that are joined are remembered by ID", () => {
	const id = "e".repeat(64);
	const { hostConfig, endpoints } = settle({
		HostConfig: { NetworkMode: "container:other", PidMode: "container:other", IpcMode: "container:other" },
	});
	expect([hostConfig.NetworkMode, hostConfig.PidMode, hostConfig.IpcMode, endpoints]).toEqual([
		`container:${id}`,
		`container:${id}`,
		`container:${id}`,
		{},
	]);
});

test("published ports are exposed, too, under one spelling", () => {
	const { config, hostConfig } = settle({
		HostConfig: { PortBindings: { "80": [{ HostPort: "8080" }], "53/UDP": [{}] } },
	});
	expect(config.ExposedPorts).toEqual({ "80/tcp": {}, "53/udp": {} });
	expect(hostConfig.PortBindings).toEqual({
		"80/tcp": [{ HostIp: "", HostPort: "8080" }],
		"53/udp": [{ HostIp: "", HostPort: "" }],
	});
});

test("limits the machine does not know are dropped with a warning", () => {
	expect(settle({ HostConfig: { CpuPercent: 5, OomKillDisable: true } }).warnings).toEqual([
		"OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
		"linux does not support CPU percent. Percent discarded.",
	]);
});

describe("mergeConfig()", () => {
	const image: ContainerConfig = {
		Entrypoint: ["entry"],
		Cmd: ["image"],
		Env: ["A=image", "B=image"],
		User: "www",
		Healthcheck: { Test: ["CMD", "probe"], Interval: 5e9 },
		Labels: { a: "image", b: "image" },
	};
	const commands: [string, ContainerConfig, Pick<ContainerConfig, "Entrypoint" | "Cmd">][] = [
		["nothing given", {}, { Entrypoint: ["entry"], Cmd: ["image"] }],
		["a command", { Cmd: ["own"] }, { Entrypoint: ["entry"], Cmd: ["own"] }],
		["an entrypoint drops the image's command", { Entrypoint: ["own"] }, { Entrypoint: ["own"], Cmd: null }],
		["an empty entrypoint clears the image's", { Entrypoint: [""], Cmd: ["own"] }, { Entrypoint: null, Cmd: ["own"] }],
	];
	for (const [name, request, want] of commands)
		test(name, () => {
			const { Entrypoint = null, Cmd = null } = mergeConfig(request, image);
			expect({ Entrypoint, Cmd }).toEqual({ Entrypoint: want.Entrypoint ?? null, Cmd: want.Cmd ?? null });
		});
	test("the request's variables and labels win, the rest is the image's", () => {
		const { Env, Labels, User } = mergeConfig({ Env: ["B=own", "C"], Labels: { b: "own" } }, image);
		expect({ Env, Labels, User }).toEqual({
			Env: ["B=own", "C", "A=image"],
			Labels: { a: "image", b: "own" },
			User: "www",
		});
	});
	test("a health check is completed field by field, and NONE turns it off", () => {
		expect(mergeConfig({ Healthcheck: { Retries: 7 } }, image).Healthcheck).toEqual({
			...image.Healthcheck,
			Retries: 7,
		});
		expect(mergeConfig({ Healthcheck: { Test: ["NONE"] } }, image).Healthcheck?.Test).toEqual(["NONE"]);
	});
	test("no command at all is an error", () => {
		expect(() => mergeConfig({}, undefined)).toThrow("no command specified");
	});
});

test("names have at least two characters of the allowed ones", () => {
	expect(normaliseName("/a_b.c-1")).toBe("a_b.c-1");
	for (const name of ["a", "_a", "a/b", "", "a b", "-x"])
		expect(() => normaliseName(name)).toThrow(`Invalid container name (${name})`);
});
