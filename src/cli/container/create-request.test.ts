import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ContainerCreateRequest } from "../../api/engine/container.ts";
import { parseOptions } from "../option-parser.ts";
import { CREATE_OPTIONS } from "./create-options.ts";
import { buildCreateRequest } from "./create-request.ts";

/** The request for a command line, without what every request has. */
async function build(...argv: string[]): Promise<ContainerCreateRequest> {
	const { options, args } = parseOptions(argv, CREATE_OPTIONS, false);
	return await buildCreateRequest(options, args, { HOME: "/root", EMPTY: "" });
}

const PLAIN = {
	Image: "img",
	AttachStdin: false,
	AttachStdout: true,
	AttachStderr: true,
	Tty: false,
	OpenStdin: false,
	StdinOnce: false,
};

describe("buildCreateRequest()", () => {
	const cases: [string, string[], Record<string, unknown>, Record<string, unknown>][] = [
		["asks for nothing that was not said", ["img"], {}, {}],
		["passes the command on with its options", ["img", "sh", "--rm", "-it"], { Cmd: ["sh", "--rm", "-it"] }, {}],
		["-it", ["-it", "img"], { AttachStdin: true, Tty: true, OpenStdin: true, StdinOnce: true }, {}],
		["-a", ["-a", "STDERR", "-a", "stdin", "img"], { AttachStdin: true, AttachStdout: false }, {}],
		[
			"-e",
			["-e", "A=b", "-e", "HOME", "-e", "NOPE", "-e", "EMPTY", "img"],
			{ Env: ["A=b", "HOME=/root", "NOPE", "EMPTY="] },
			{},
		],
		["-l", ["-l", "a=b=c", "-l", "d", "img"], { Labels: { a: "b=c", d: "" } }, {}],
		["--entrypoint", ["--entrypoint", "/x", "img", "y"], { Entrypoint: ["/x"], Cmd: ["y"] }, {}],
		["--entrypoint without a value", ["--entrypoint", "", "img"], { Entrypoint: [""] }, {}],
		[
			"process options",
			["-h", "h", "--domainname", "d", "-u", "1:2", "-w", "/w", "--stop-signal", "INT", "--stop-timeout", "0", "img"],
			{ Hostname: "h", Domainname: "d", User: "1:2", WorkingDir: "/w", StopSignal: "INT", StopTimeout: 0 },
			{},
		],
		[
			"-p",
			[
				"-p",
				"80",
				"-p",
				"8080:80",
				"-p",
				"[::1]:90-91:90-91/udp",
				"-p",
				"127.0.0.1::53",
				"-p",
				"7000-7009:70/tcp",
				"img",
			],
			{ ExposedPorts: { "80/tcp": {}, "90/udp": {}, "91/udp": {}, "53/tcp": {}, "70/tcp": {} } },
			{
				PortBindings: {
					"80/tcp": [
						{ HostIp: "", HostPort: "" },
						{ HostIp: "", HostPort: "8080" },
					],
					"90/udp": [{ HostIp: "::1", HostPort: "90" }],
					"91/udp": [{ HostIp: "::1", HostPort: "91" }],
					"53/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }],
					"70/tcp": [{ HostIp: "", HostPort: "7000-7009" }],
				},
			},
		],
		[
			"--expose",
			["--expose", "5/udp", "--expose", "7-8", "img"],
			{ ExposedPorts: { "5/udp": {}, "7/tcp": {}, "8/tcp": {} } },
			{},
		],
		[
			"-v and --tmpfs",
			["-v", "/a:/b:ro", "-v", "./c:/d", "-v", "/e", "-v", "vol:/f", "--tmpfs", "/g:size=1m", "--tmpfs", "/h", "img"],
			{ Volumes: { "/e": {} } },
			{ Binds: ["/a:/b:ro", `${resolve("c")}:/d`, "vol:/f"], Tmpfs: { "/g": "size=1m", "/h": "" } },
		],
		[
			"--mount",
			[
				"--mount",
				'type=bind,"source=/a,b",dst=/c,readonly,bind-propagation=rslave',
				"--mount",
				"type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777",
				"--mount",
				"type=image,source=i:1,target=/i,image-subpath=d",
				"--mount",
				"src=v,dst=/v,volume-subpath=s,idmap=uids=1-2-3#4-5-6;gids=7-8-9",
				"img",
			],
			{},
			{
				Mounts: [
					{ Type: "bind", Source: "/a,b", Target: "/c", ReadOnly: true, BindOptions: { Propagation: "rslave" } },
					{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1_048_576, Mode: 0o1777 } },
					{ Type: "image", Source: "i:1", Target: "/i", ImageOptions: { Subpath: "d" } },
					{
						Type: "volume",
						Source: "v",
						Target: "/v",
						VolumeOptions: { Subpath: "s" },
						IdMap: "uids=1-2-3#4-5-6;gids=7-8-9",
					},
				],
			},
		],
		[
			"--network host",
			["--network", "host", "img"],
			{ NetworkingConfig: { EndpointsConfig: { host: {} } } },
			{ NetworkMode: "host" },
		],
		[
			"--network with its options",
			["--network", "n", "--network-alias", "x", "--ip", "10.0.0.2", "--link", "db", "img"],
			{
				NetworkingConfig: {
					EndpointsConfig: { n: { Aliases: ["x"], IPAMConfig: { IPv4Address: "10.0.0.2" }, Links: ["db"] } },
				},
			},
			{ NetworkMode: "n", Links: ["db"] },
		],
		[
			"limits",
			[
				"-m",
				"100m",
				"--memory-swap",
				"-1",
				"--cpus",
				"1.5",
				"--pids-limit",
				"-1",
				"--shm-size",
				"1g",
				"--ulimit",
				"nofile=1:2",
				"img",
			],
			{},
			{
				Memory: 104_857_600,
				MemorySwap: -1,
				NanoCpus: 1_500_000_000,
				PidsLimit: -1,
				ShmSize: 1_073_741_824,
				Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
			},
		],
		[
			"security",
			[
				"--cap-add",
				"net_admin",
				"--cap-drop",
				"ALL",
				"--security-opt",
				"no-new-privileges",
				"--security-opt",
				"systempaths=unconfined",
				"img",
			],
			{},
			{
				CapAdd: ["CAP_NET_ADMIN"],
				CapDrop: ["ALL"],
				SecurityOpt: ["no-new-privileges"],
				MaskedPaths: [],
				ReadonlyPaths: [],
			},
		],
		[
			"devices",
			["--device", "/dev/a:/dev/b:r", "--device", "/dev/c", "--device-read-bps", "/dev/a:1mb", "img"],
			{},
			{
				Devices: [
					{ PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "r" },
					{ PathOnHost: "/dev/c", PathInContainer: "/dev/c", CgroupPermissions: "rwm" },
				],
				BlkioDeviceReadBps: [{ Path: "/dev/a", Rate: 1_048_576 }],
			},
		],
		[
			"--restart",
			["--restart", "on-failure:3", "img"],
			{},
			{ RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } },
		],
		["--init=false and --rm", ["--init=false", "--rm", "img"], {}, { Init: false, AutoRemove: true }],
		[
			"health",
			["--health-cmd", "x", "--health-interval", "1m30s", "--health-retries", "2", "img"],
			{
				Healthcheck: {
					Test: ["CMD-SHELL", "x"],
					Interval: 90e9,
					Timeout: 0,
					StartPeriod: 0,
					StartInterval: 0,
					Retries: 2,
				},
			},
			{},
		],
		["--no-healthcheck", ["--no-healthcheck", "img"], { Healthcheck: { Test: ["NONE"] } }, {}],
		[
			"--log-opt",
			["--log-driver", "local", "--log-opt", "max-size=1m", "img"],
			{},
			{ LogConfig: { Type: "local", Config: { "max-size": "1m" } } },
		],
		[
			"--add-host",
			["--add-host", "a=1.2.3.4", "--add-host", "b:[::1]", "img"],
			{},
			{ ExtraHosts: ["a:1.2.3.4", "b:::1"] },
		],
	];
	for (const [name, argv, config, host] of cases)
		test(name, async () => {
			expect(await build(...argv)).toEqual({ ...PLAIN, ...config, HostConfig: { NetworkMode: "default", ...host } });
		});

	test("reads variables and labels from files", async () => {
		const folder = await mkdtemp(join(tmpdir(), "gantry-cli-"));
		try {
			const path = join(folder, "env");
			await writeFile(path, "# comment\n\n  A=1\nB=2 x\r\nHOME\nNOPE\n");
			const { Env, Labels } = await build("--env-file", path, "-e", "A=3", "--label-file", path, "img");
			expect({ Env, Labels }).toEqual({ Env: ["A=1", "B=2 x", "HOME=/root", "A=3"], Labels: { A: "1", B: "2 x" } });
			await writeFile(path, "A B=1\n");
			await expect(build("--env-file", path, "img")).rejects.toThrow("variable 'A B' contains whitespaces");
		} finally {
			await rm(folder, { recursive: true });
		}
	});

	const mistakes: [string[], string][] = [
		[["-p", "foo"], "invalid containerPort: foo"],
		[["-p", "x:80"], "invalid hostPort: x"],
		[["-p", "80-82:90-91"], "invalid ranges specified for container and host Ports: 90-91 and 80-82"],
		[["-p", "1.2.3:80:80"], "invalid IP address: 1.2.3"],
		[["-p", "80/foo"], "invalid proto: foo"],
		[["--expose", "80:80"], "invalid port format for --expose: 80:80"],
		[["-v", "/a::/b"], "invalid spec: /a::/b: empty section between colons"],
		[["--mount", "foo"], `invalid argument "foo" for "--mount" flag: invalid field 'foo' must be a key=value pair`],
		[["--mount", "type=bind,src=a"], 'invalid argument "type=bind,src=a" for "--mount" flag: target is required'],
		[["--pid", "foo"], "--pid: invalid PID mode"],
		[["--restart", "always", "--rm"], "conflicting options: cannot specify both --restart and --rm"],
		[["--restart", ":3"], "invalid restart policy format: no policy provided before colon"],
		[["--no-healthcheck", "--health-cmd", "x"], "--no-healthcheck conflicts with --health-* options"],
		[["--health-interval", "-1s"], "--health-interval cannot be negative"],
		[["--security-opt", "foo"], 'Invalid --security-opt: "foo"'],
		[
			["--network", "host", "--network", "n"],
			"conflicting options: cannot attach both user-defined and non-user-defined network-modes",
		],
		[
			["--network", "none", "--network-alias", "a"],
			"network-scoped aliases are only supported for user-defined networks",
		],
		[
			["--ulimit", "nofile=5:3"],
			'invalid argument "nofile=5:3" for "--ulimit" flag: ulimit soft limit must be less than or equal to hard limit: 5 > 3',
		],
		[["--cpus", "1.2222222222222"], 'invalid argument "1.2222222222222" for "--cpus" flag: value is too precise'],
		[["--use-api-socket"], "--use-api-socket is not available yet"],
	];
	for (const [argv, message] of mistakes)
		test(`refuses ${argv.join(" ")} with docker's message`, async () => {
			// Wrapped, since some are refused while the line is read and others while the request is built.
			await expect((async () => await build(...argv, "img"))()).rejects.toThrow(message);
		});
});
