/** The specification as the real OCI runtimes carry it out. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerCreateRequest } from "../../../src/api/engine/container.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { capabilitiesOfMask } from "../../../src/core/container/capabilities.ts";
import { buildRuntimeSpec, type RuntimeSpecInput } from "../../../src/core/container/runtime-spec.ts";
import { LibseccompCompiler } from "../../../src/drivers/linux/seccomp.ts";
import { HOST } from "../../support/host-facts.ts";
import { specInput } from "../../support/runtime-spec-input.ts";

const BUSYBOX = "/bin/busybox";
const PARENT = `gantry-core-spec-${process.pid}`;
const COMMANDS = [
	"sh",
	"cat",
	"id",
	"grep",
	"mount",
	"unshare",
	"hostname",
	"touch",
	"ls",
	"true",
	"env",
	"stty",
	"sed",
];

let directory = "";
let rootfs = "";
let counter = 0;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "gantry-core-spec-"));
	rootfs = join(directory, "rootfs");
	for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp", "data"])
		mkdirSync(join(rootfs, name), { recursive: true });
	cpSync(BUSYBOX, join(rootfs, "bin/busybox"));
	for (const name of COMMANDS) symlinkSync("busybox", join(rootfs, "bin", name));
	for (const name of ["hosts", "hostname", "resolv.conf"]) writeFileSync(join(directory, name), `${name}\n`);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What this machine allows, whatever the test machine of the unit tests would. */
function hostOfTest(): RuntimeSpecInput["host"] {
	const bounding = /^CapBnd:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
	const kernelRelease = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
	return { ...HOST, kernelRelease, capabilities: capabilitiesOfMask(BigInt(`0x${bounding}`)) };
}

interface Outcome {
	readonly exitCode: number;
	readonly output: string;
}

function runContainer(
	runtime: string,
	request: ContainerCreateRequest,
	changes: Partial<RuntimeSpecInput> = {},
): Outcome {
	const id = `${PARENT}-${++counter}`;
	const bundle = join(directory, id);
	mkdirSync(bundle);
	const spec = buildRuntimeSpec(
		specInput(request, {
			rootfsPath: rootfs,
			cgroupsPath: `/${PARENT}/${id}`,
			namespaces: {},
			files: {
				hosts: join(directory, "hosts"),
				hostname: join(directory, "hostname"),
				resolvConf: join(directory, "resolv.conf"),
			},
			host: hostOfTest(),
			// Debian 12's runc knows no recursive read-only mounts.
			recursiveReadOnly: runtime === "crun",
			...changes,
		}),
	);
	writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
	const child = Bun.spawnSync([runtime, "run", "--bundle", bundle, id], {
		stdin: "ignore",
		stdout: "pipe",
		stderr: "pipe",
	});
	return { exitCode: child.exitCode, output: `${child.stdout.toString()}${child.stderr.toString()}` };
}

/** Runs a shell line. */
const shell = (
	runtime: string,
	line: string,
	request: ContainerCreateRequest = {},
	changes: Partial<RuntimeSpecInput> = {},
) => runContainer(runtime, { ...request, Cmd: ["sh", "-c", line] }, changes);

for (const runtime of ["crun", "runc"])
	describe(runtime, () => {
		test("a plain container sees only itself", () => {
			const { exitCode, output } = shell(
				runtime,
				"hostname; id -u; grep CapBnd /proc/self/status; ls -d /proc/[0-9]*; cat /etc/hosts; cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
				{ Hostname: "box" },
			);
			expect([exitCode, output]).toEqual([0, "box\n0\nCapBnd:\t00000000a80425fb\n/proc/1\nhosts\n0\n"]);
		});

		test("system paths are masked or read-only, cgroups and /sys too", () => {
			const { output } = shell(
				runtime,
				"cat /proc/kcore | grep -c .; touch /proc/sys/x /sys/x /sys/fs/cgroup/x 2>&1 | sed 's/.*: //' ; grep -c ' ro,' /proc/self/mounts >/dev/null && echo ro",
			);
			expect(output.split("\n")[0]).toBe("0");
			expect(output).not.toContain("No error");
			expect(output).toContain("Read-only file system");
			expect(output).toContain("ro\n");
		});

		test("the seccomp profile refuses with EPERM what it should", () => {
			const line = "grep Seccomp: /proc/self/status; unshare -m true 2>&1; echo $?";
			const { output } = shell(runtime, line, { HostConfig: { CapAdd: [] } });
			expect(output).toContain("Seccomp:\t2");
			expect(output).toContain("unshare(0x20000): Operation not permitted\n1\n");
			expect(shell(runtime, line, { HostConfig: { SecurityOpt: ["seccomp=unconfined"] } }).output).toContain(
				"Seccomp:\t0",
			);
		});

		test("mounts: read-only binds, tmpfs options, a read-only root", () => {
			writeFileSync(join(directory, "shared"), "from the host\n");
			const { exitCode, output } = shell(
				runtime,
				"cat /data/shared; touch /data/x 2>&1; touch /y 2>&1; grep ' /tmp ' /proc/mounts; touch /tmp/ok && echo written",
				{
					HostConfig: {
						ReadonlyRootfs: true,
						Binds: [`${directory}:/data:ro`],
						Tmpfs: { "/tmp": "size=64k,mode=1770" },
					},
				},
			);
			expect([exitCode, output.split("\n").filter((line) => !line.includes(" tmpfs "))]).toEqual([
				0,
				["from the host", "touch: /data/x: Read-only file system", "touch: /y: Read-only file system", "written", ""],
			]);
			expect(output).toMatch(/ \/tmp tmpfs rw,nosuid,nodev,noexec,relatime,size=64k,mode=1770/);
		});

		test("users, groups and a private /dev/shm", () => {
			const { output } = shell(runtime, "id -u; id -g; id -G; grep ' /dev/shm ' /proc/mounts | grep -c size=1024k", {
				User: "ann",
				HostConfig: { GroupAdd: ["77"], ShmSize: 1024 ** 2 },
			});
			expect(output.split("\n")).toEqual(["1000", "1000", "1000 29 50 77", "1", ""]);
		});

		test("limits really limit", () => {
			const { output } = shell(runtime, "ulimit -n; ulimit -c; cat /proc/1/oom_score_adj", {
				HostConfig: {
					Ulimits: [
						{ Name: "nofile", Soft: 100, Hard: 200 },
						{ Name: "core", Soft: -1, Hard: -1 },
					],
					OomScoreAdj: 5,
				},
			});
			expect(output.split("\n")).toEqual(["100", "unlimited", "5", ""]);
			const memory = shell(
				runtime,
				"cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max",
				{
					HostConfig: { Memory: 32 * 1024 ** 2 },
				},
			);
			expect(memory.output).toContain(String(32 * 1024 ** 2));
		});

		test("a privileged container may do what the daemon may", () => {
			const { output } = shell(runtime, "mount -t tmpfs none /tmp && echo mounted; grep Seccomp: /proc/self/status", {
				HostConfig: { Privileged: true },
			});
			expect(output).toBe("mounted\nSeccomp:\t0\n");
		});
	});

describe("compiled seccomp filters", () => {
	const compiler = new LibseccompCompiler({ logger: silentLogger });

	test("crun installs the finished filter and it refuses the same", () => {
		const { exitCode, output } = shell(
			"crun",
			"grep Seccomp: /proc/self/status; unshare -m true 2>&1; ls /bin/sh; cat /etc/hosts",
			{},
			{ seccompCompiler: compiler },
		);
		expect([exitCode, output]).toEqual([
			0,
			"Seccomp:\t2\nunshare: unshare(0x20000): Operation not permitted\n/bin/sh\nhosts\n",
		]);
	});

	test("a profile is compiled once", () => {
		const profile = buildRuntimeSpec(specInput()).linux.seccomp;
		if (profile === undefined) throw new Error("no profile");
		expect(compiler.compile(profile)).toBe(compiler.compile({ ...profile }));
		expect((compiler.compile(profile)?.length ?? 0) % 8).toBe(0);
	});

	test("what libseccomp does not know is left to the runtime", () => {
		const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action: "SCMP_ACT_NOSUCH" }] };
		expect(compiler.compile(profile)).toBeUndefined();
		expect(compiler.compile({ ...profile, syscalls: [], flags: ["SECCOMP_FILTER_FLAG_LOG"] })).toBeUndefined();
	});
});

test("nothing is left behind", () => {
	const left = readdirSync("/sys/fs/cgroup").flatMap((name) => cgroupsBelow(join("/sys/fs/cgroup", name, PARENT)));
	expect([left, cgroupsBelow(join("/sys/fs/cgroup", PARENT))]).toEqual([[], []]);
	expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(directory);
});

/** Names of the containers' cgroups; the runtimes leave the parent, which is removed. */
function cgroupsBelow(parent: string): string[] {
	if (!existsSync(parent)) return [];
	const left = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
	if (left.length === 0) rmdirSync(parent);
	return left.map(({ name }) => name);
}
