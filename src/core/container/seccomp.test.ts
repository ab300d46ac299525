import { describe, expect, test } from "bun:test";
import { capabilitiesOfMask, DEFAULT_CAPABILITIES } from "./capabilities.ts";
import { customSeccomp, defaultSeccomp, isKernelAtLeast } from "./seccomp.ts";

const PLAIN = { architecture: "amd64", kernelRelease: "6.1.0", capabilities: new Set(DEFAULT_CAPABILITIES) };

const allowedOutright = (context = PLAIN) => new Set(defaultSeccomp(context).syscalls[0]?.names);

test("ways out of a container are closed and what programs need is open", () => {
	const allowed = allowedOutright();
	const open = ["read", "execve", "futex", "io_pgetevents", "chroot", "ptrace", "statx", "arch_prctl", "openat2"];
	const closed = [
		"mount",
		"unshare",
		"setns",
		"bpf",
		"kexec_load",
		"keyctl",
		"init_module",
		"reboot",
		"clone",
		"clone3",
	];
	expect([open.filter((name) => !allowed.has(name)), closed.filter((name) => allowed.has(name))]).toEqual([[], []]);
});

test("capabilities open what they stand for", () => {
	const allowed = allowedOutright({ ...PLAIN, capabilities: capabilitiesOfMask(0x1ffffffffffn) });
	const opened = [
		"mount",
		"clone",
		"clone3",
		"bpf",
		"perf_event_open",
		"reboot",
		"init_module",
		"settimeofday",
		"syslog",
	];
	expect(opened.filter((name) => !allowed.has(name))).toEqual([]);
	expect(allowedOutright({ ...PLAIN, capabilities: new Set() }).has("chroot")).toBe(false);
});

test("every name stands in one unconditional rule, and none has rules besides it", () => {
	const { syscalls } = defaultSeccomp({ ...PLAIN, capabilities: capabilitiesOfMask(0x1ffffffffffn) });
	const outright = syscalls[0]?.names ?? [];
	expect(new Set(outright).size).toBe(outright.length);
	for (const { names } of syscalls.slice(1)) expect(names.filter((name) => outright.includes(name))).toEqual([]);
});

test("clone without new namespaces is allowed, clone3 is said not to exist", () => {
	const rules = defaultSeccomp(PLAIN).syscalls.filter(({ names }) => names[0]?.startsWith("clone"));
	expect(rules).toEqual([
		{
			names: ["clone"],
			action: "SCMP_ACT_ALLOW",
			args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: 0x7e020000, valueTwo: 0 }],
		},
		{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
	]);
});

test("architectures and kernels decide", () => {
	expect(defaultSeccomp({ ...PLAIN, architecture: "arm64" }).architectures).toEqual([
		"SCMP_ARCH_AARCH64",
		"SCMP_ARCH_ARM",
	]);
	expect(allowedOutright({ ...PLAIN, architecture: "arm64" }).has("arch_prctl")).toBe(false);
	expect(allowedOutright({ ...PLAIN, kernelRelease: "4.7.9" }).has("ptrace")).toBe(false);
	expect([
		isKernelAtLeast("6.18.0-rc1", [6, 18]),
		isKernelAtLeast("5.19", [6, 0]),
		isKernelAtLeast("x", [0, 0]),
	]).toEqual([true, false, false]);
});

describe("customSeccomp()", () => {
	test("reads a profile with conditions", () => {
		const profile = {
			defaultAction: "SCMP_ACT_ERRNO",
			archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
			syscalls: [
				{ names: ["read"], action: "SCMP_ACT_ALLOW", args: null },
				{ names: ["mount"], action: "SCMP_ACT_ALLOW", includes: { caps: ["CAP_SYS_ADMIN"] } },
				{ names: ["bpf"], action: "SCMP_ACT_ALLOW", excludes: { caps: ["CAP_CHOWN"] } },
				{ names: ["ptrace"], action: "SCMP_ACT_ALLOW", includes: { minKernel: "4.8" } },
				{ name: "old", action: "SCMP_ACT_ALLOW", includes: { arches: ["arm64"] } },
			],
		};
		expect(customSeccomp(JSON.stringify(profile), PLAIN)).toEqual({
			defaultAction: "SCMP_ACT_ERRNO",
			architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
			syscalls: [
				{ names: ["read"], action: "SCMP_ACT_ALLOW" },
				{ names: ["ptrace"], action: "SCMP_ACT_ALLOW" },
			],
		});
	});
	for (const json of [
		"{",
		"[]",
		"null",
		"{}",
		'{"defaultAction":"x","syscalls":5}',
		'{"defaultAction":"x","syscalls":[{}]}',
	])
		test(`refuses ${json}`, () => {
			expect(() => customSeccomp(json, PLAIN)).toThrow("Decoding seccomp profile failed");
		});
});
