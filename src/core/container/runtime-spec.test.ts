import { describe, expect, test } from "bun:test";
import { specInput } from "../../../test/support/runtime-spec-input.ts";
import type { HostConfig } from "../../api/engine/container.ts";
import { DEFAULT_CAPABILITIES } from "./capabilities.ts";
import type { HostDevice } from "./device.ts";
import { buildRuntimeSpec, plainSeccomp, type RuntimeSpecInput } from "./runtime-spec.ts";

const build = (HostConfig: HostConfig = {}, changes: Partial<RuntimeSpecInput> = {}) =>
	buildRuntimeSpec(specInput({ HostConfig }, changes));

test("a plain container is isolated in every way", () => {
	const { process, root, hostname, linux } = build();
	expect({ process, root, hostname }).toEqual({
		process: {
			terminal: false,
			user: { uid: 0, gid: 0, additionalGids: [0] },
			args: ["sh"],
			env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=0123456789ab"],
			cwd: "/",
			capabilities: {
				bounding: [...DEFAULT_CAPABILITIES],
				effective: [...DEFAULT_CAPABILITIES],
				permitted: [...DEFAULT_CAPABILITIES],
			},
			noNewPrivileges: false,
			oomScoreAdj: 0,
		},
		root: { path: "/rootfs", readonly: false },
		hostname: "0123456789ab",
	});
	expect(linux.namespaces).toEqual([
		{ type: "mount" },
		{ type: "network", path: "/netns/id" },
		{ type: "uts" },
		{ type: "pid" },
		{ type: "ipc" },
		{ type: "cgroup" },
	]);
	expect(linux.sysctl).toEqual({
		"net.ipv4.ip_unprivileged_port_start": "0",
		"net.ipv4.ping_group_range": "0 2147483647",
	});
	expect(linux.resources.devices).toEqual([{ allow: false, access: "rwm" }]);
	expect(linux.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
	expect([linux.maskedPaths?.length, linux.readonlyPaths?.length]).toEqual([12, 5]);
});

test("the environment: terminal, links, own variables over defaults, bare names remove", () => {
	const spec = buildRuntimeSpec(
		specInput(
			{ Tty: true, Env: ["PATH=/x", "DB_PORT=own", "TERM"] },
			{ linkEnvironment: ["DB_PORT=link", "DB_NAME=/web/db"] },
		),
	);
	expect(spec.process.env).toEqual(["PATH=/x", "HOSTNAME=0123456789ab", "DB_PORT=own", "DB_NAME=/web/db"]);
});

test("who has no account is at home in /, unless the container says otherwise", () => {
	const home = (User: string, Env: string[] = []) =>
		buildRuntimeSpec(specInput({ User, Env })).process.env.filter((line) => line.startsWith("HOME="));
	expect([home("1234"), home("1234", ["HOME=/own"]), home("0")]).toEqual([["HOME=/"], ["HOME=/own"], []]);
});

test("a privileged container gets what the daemon has, and nothing hidden", () => {
	const device: HostDevice = { path: "/dev/kvm", type: "c", major: 10, minor: 232, mode: 0o660, uid: 0, gid: 5 };
	const { process, linux, mounts } = build(
		{ Privileged: true },
		{
			allDevices: () => [device],
			host: { ...specInput().host, capabilities: new Set(["CAP_CHOWN", "CAP_SYS_ADMIN"]) },
		},
	);
	expect(process.capabilities.bounding).toEqual(["CAP_CHOWN", "CAP_SYS_ADMIN"]);
	expect([linux.maskedPaths, linux.readonlyPaths, linux.seccomp, linux.resources.devices]).toEqual([
		[],
		[],
		undefined,
		[{ allow: true, access: "rwm" }],
	]);
	expect(linux.devices).toEqual([
		{ path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 0o660, uid: 0, gid: 5 },
	]);
	expect(mounts.filter(({ options }) => options.includes("ro"))).toEqual([]);
});

describe("capabilities", () => {
	const cases: [string, HostConfig, number, string[], string[]][] = [
		["added and dropped", { CapAdd: ["NET_ADMIN"], CapDrop: ["CHOWN"] }, 14, ["CAP_NET_ADMIN"], ["CAP_CHOWN"]],
		["all but one", { CapAdd: ["ALL"], CapDrop: ["SYS_ADMIN"] }, 40, ["CAP_BPF"], ["CAP_SYS_ADMIN"]],
		["none but one", { CapAdd: ["KILL"], CapDrop: ["ALL"] }, 1, ["CAP_KILL"], ["CAP_CHOWN"]],
	];
	for (const [name, hostConfig, count, has, lacks] of cases)
		test(name, () => {
			const { bounding } = build(hostConfig).process.capabilities;
			expect(bounding.length).toBe(count);
			expect(bounding).toEqual(expect.arrayContaining(has));
			expect(bounding).not.toEqual(expect.arrayContaining(lacks));
		});
	test("another user than root holds none", () => {
		const { capabilities } = buildRuntimeSpec(specInput({ User: "ann" })).process;
		expect([capabilities.bounding.length, capabilities.effective, capabilities.permitted]).toEqual([14, [], []]);
	});
});

test("host modes leave the host's namespaces and sysctls alone", () => {
	const { linux, hostname } = build(
		{ NetworkMode: "host", PidMode: "host", IpcMode: "host", UTSMode: "host", CgroupnsMode: "host" },
		{ namespaces: {} },
	);
	expect([linux.namespaces, linux.sysctl, hostname]).toEqual([[{ type: "mount" }], {}, undefined]);
});

test("namespaces of another container are joined, and its network's sysctls left alone", () => {
	const { linux } = build(
		{ NetworkMode: "container:other", PidMode: "container:other", IpcMode: "container:other" },
		{ namespaces: { network: "/n", pid: "/p", ipc: "/i" }, shmPath: "/shm" },
	);
	expect(linux.namespaces).toEqual([
		{ type: "mount" },
		{ type: "network", path: "/n" },
		{ type: "uts" },
		{ type: "pid", path: "/p" },
		{ type: "ipc", path: "/i" },
		{ type: "cgroup" },
	]);
	expect(linux.sysctl).toEqual({});
});

describe("mounts", () => {
	const describeMounts = (input: RuntimeSpecInput) =>
		buildRuntimeSpec(input).mounts.map(
			({ destination, source, options }) => `${source} ${destination} ${options.join(",")}`,
		);
	test("the user's come after the system's, parents before children", () => {
		const request = { HostConfig: { Binds: ["/src:/data/in/it:ro", "vol:/data"], Tmpfs: { "/t": "size=1m,exec" } } };
		expect(
			describeMounts(specInput(request, { volumeSources: new Map([["/data", "/volumes/vol"]]) })).slice(7),
		).toEqual([
			"/volumes/vol /data rbind",
			"tmpfs /t nosuid,nodev,rprivate,size=1m,exec",
			"/c/resolv.conf /etc/resolv.conf rbind,rprivate",
			"/c/hostname /etc/hostname rbind,rprivate",
			"/c/hosts /etc/hosts rbind,rprivate",
			"/src /data/in/it rbind,rro,rprivate",
		]);
	});
	test("the user's replace the system's at the same place", () => {
		const Binds = ["/dev:/dev", "/my/hosts:/etc/hosts"];
		const targets = describeMounts(specInput({ HostConfig: { Binds } })).map((line) =>
			line.split(" ").slice(0, 2).join(" "),
		);
		expect(targets).toEqual([
			"proc /proc",
			"sysfs /sys",
			"cgroup /sys/fs/cgroup",
			"/dev /dev",
			"/my/hosts /etc/hosts",
			"/c/resolv.conf /etc/resolv.conf",
			"/c/hostname /etc/hostname",
		]);
	});
	test("shared memory by IPC mode", () => {
		const shm = (IpcMode: string, shmPath?: string) =>
			describeMounts(specInput({ HostConfig: { IpcMode } }, shmPath === undefined ? {} : { shmPath })).filter((line) =>
				line.includes(" /dev/shm "),
			);
		expect([shm("private"), shm("shareable", "/shm"), shm("host"), shm("none")]).toEqual([
			["shm /dev/shm nosuid,noexec,nodev,mode=1777,size=67108864"],
			["/shm /dev/shm rbind,rprivate,nosuid,noexec,nodev"],
			["/dev/shm /dev/shm rbind,rprivate"],
			[],
		]);
	});
	test("propagation of a bind asks the same of the root", () => {
		const propagation = (bind: string) => build({ Binds: [bind] }).linux.rootfsPropagation;
		expect([propagation("/a:/b"), propagation("/a:/b:rslave"), propagation("/a:/b:rshared")]).toEqual([
			undefined,
			"rslave",
			"shared",
		]);
	});
	test("recursive read-only that cannot be had is an error only where it was demanded", () => {
		const options = (bind: string) =>
			build({ Binds: [bind] }, { recursiveReadOnly: false }).mounts.find(({ destination }) => destination === "/b")
				?.options;
		expect(options("/a:/b:ro")).toEqual(["rbind", "ro", "rprivate"]);
		expect(() => options("/a:/b:rro")).toThrow("recursive read-only mounts are not supported");
	});
	test("an init program is bound in and runs the command", () => {
		const { process, mounts } = build({}, { initPath: "/usr/bin/tini" });
		expect(process.args).toEqual(["/sbin/docker-init", "--", "sh"]);
		expect(mounts).toContainEqual({
			destination: "/sbin/docker-init",
			type: "bind",
			source: "/usr/bin/tini",
			options: ["bind", "ro"],
		});
	});
	test("unknown tmpfs options are refused", () => {
		expect(() => build({ Tmpfs: { "/a": "foo" } })).toThrow('invalid tmpfs option "foo"');
	});
});

test("devices: directories, permissions and rules", () => {
	const found: HostDevice[] = ["a", "sub/b"].map((name, minor) => ({
		path: `/dev/x/${name}`,
		type: "b",
		major: 8,
		minor,
		mode: 0o600,
		uid: 0,
		gid: 0,
	}));
	const { linux } = build(
		{
			Devices: [{ PathOnHost: "/dev/x", PathInContainer: "/dev/y", CgroupPermissions: "r" }],
			DeviceCgroupRules: ["c 1:* rw"],
		},
		{ findDevices: () => found },
	);
	expect(linux.devices?.map(({ path }) => path)).toEqual(["/dev/y/a", "/dev/y/sub/b"]);
	expect(linux.resources.devices?.slice(1)).toEqual([
		{ allow: true, type: "b", major: 8, minor: 0, access: "r" },
		{ allow: true, type: "b", major: 8, minor: 1, access: "r" },
		{ allow: true, type: "c", major: 1, access: "rw" },
	]);
	expect(() => build({ Devices: [{ PathOnHost: "/dev/shm" }] })).toThrow(
		'error gathering device information while adding custom device "/dev/shm": not a device node',
	);
});

test("limits become resources", () => {
	const { memory, cpu, pids, blockIO } = build(
		{
			Memory: 100 * 1024 ** 2,
			NanoCpus: 1.5e9,
			CpusetCpus: "0",
			PidsLimit: 10,
			MemorySwappiness: 0,
			BlkioWeight: 300,
			BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 5 }],
		},
		{ blockDevices: new Map([["/dev/sda", { major: 8, minor: 0 }]]) },
	).linux.resources;
	expect({ memory, cpu, pids, blockIO }).toEqual({
		memory: { limit: 104857600, swap: 209715200, swappiness: 0 },
		cpu: { quota: 150000, period: 100000, cpus: "0" },
		pids: { limit: 10 },
		blockIO: { weight: 300, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] },
	});
	expect(() => build({ BlkioDeviceReadBps: [{ Path: "/dev/nox", Rate: 5 }] })).toThrow(
		"stat /dev/nox: no such file or directory",
	);
});

test("rlimits are clamped to the daemon's but for numbers that were asked for, and unlimited is written exactly", () => {
	const { rlimits } = build(
		{
			Ulimits: [
				{ Name: "nofile", Soft: -1, Hard: -1 },
				{ Name: "core", Soft: 0, Hard: -1 },
			],
		},
		{ daemon: { ulimits: [{ Name: "nproc", Soft: 5, Hard: 6 }], noNewPrivileges: false } },
	).process;
	const asked = build({ Ulimits: [{ Name: "nofile", Soft: 2000, Hard: 3000 }] }).process.rlimits;
	expect(asked).toEqual([{ type: "RLIMIT_NOFILE", hard: 3000, soft: 2000 }]);
	expect(JSON.stringify(rlimits)).toBe(
		JSON.stringify([
			{ type: "RLIMIT_NPROC", hard: 6, soft: 5 },
			{ type: "RLIMIT_NOFILE", hard: 1000, soft: 1000 },
		]).replace("]", ',{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":0}]'),
	);
});

describe("sysctls", () => {
	test("those of the container's namespaces are set over the defaults", () => {
		const Sysctls = { "net.ipv4.ip_unprivileged_port_start": "1024", "kernel.msgmax": "1", "fs.mqueue.msg_max": "5" };
		expect(build({ Sysctls }).linux.sysctl).toEqual({ ...Sysctls, "net.ipv4.ping_group_range": "0 2147483647" });
	});
	const refused: [HostConfig, string][] = [
		[{ Sysctls: { "kernel.foo": "1" } }, 'sysctl "kernel.foo" is not in a separate kernel namespace'],
		[{ Sysctls: { "vm/swappiness": "1" } }, 'sysctl "vm/swappiness" is not in a separate kernel namespace'],
		[
			{ Sysctls: { "net.core.somaxconn": "1" }, NetworkMode: "host" },
			'sysctl "net.core.somaxconn" not allowed in host network namespace',
		],
		[
			{ Sysctls: { "kernel.msgmax": "1" }, IpcMode: "host" },
			'sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace',
		],
	];
	for (const [hostConfig, message] of refused)
		test(message, () => {
			expect(() => build(hostConfig)).toThrow(new Error(message));
		});
});

describe("security options", () => {
	test("each does what it says", () => {
		const unconfined = build({ SecurityOpt: ["seccomp=unconfined", "no-new-privileges", "systempaths=unconfined"] });
		expect([unconfined.linux.seccomp, unconfined.process.noNewPrivileges, unconfined.linux.maskedPaths]).toEqual([
			undefined,
			true,
			[],
		]);
		expect(
			build({ SecurityOpt: ["no-new-privileges:false"] }, { daemon: { ulimits: [], noNewPrivileges: true } }).process
				.noNewPrivileges,
		).toBe(false);
	});
	test("the daemon's profile is the default, and the built-in one can be asked for", () => {
		const seccompProfile = '{"defaultAction":"SCMP_ACT_LOG"}';
		const action = (HostConfig: HostConfig) =>
			build(HostConfig, { daemon: { ulimits: [], noNewPrivileges: false, seccompProfile } }).linux.seccomp
				?.defaultAction;
		expect([action({}), action({ SecurityOpt: ["seccomp=builtin"] })]).toEqual(["SCMP_ACT_LOG", "SCMP_ACT_ERRNO"]);
	});
	test("a finished filter goes along for the runtime that takes it, never for one without a profile", () => {
		const seccompCompiler = { compile: () => new Uint8Array([1, 2, 3]) };
		expect(build({}, { seccompCompiler }).annotations).toEqual({ "run.oci.seccomp_bpf_data": "AQID" });
		expect(build({ Privileged: true, Annotations: { a: "b" } }, { seccompCompiler }).annotations).toEqual({ a: "b" });
	});
});

for (const seccompProfile of [undefined, "unconfined", '{"defaultAction":"SCMP_ACT_LOG"}'])
	test(`plainSeccomp() is the profile of a plain container where the daemon's is ${seccompProfile}`, () => {
		const daemon = {
			ulimits: [],
			noNewPrivileges: false,
			...(seccompProfile === undefined ? {} : { seccompProfile }),
		};
		// The text, since compiled filters are found again by it.
		expect(JSON.stringify(plainSeccomp(daemon, specInput().host))).toBe(
			JSON.stringify(build({}, { daemon }).linux.seccomp),
		);
	});
