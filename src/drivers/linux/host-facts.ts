/** What of this machine decides which requests can be met; read once at the daemon's start. */
import { availableParallelism, hostname, release, totalmem } from "node:os";
import type { CgroupFeatures, HostFacts } from "../../core/container/host-facts.ts";
import { anyChildOf, type CgroupLayout, hasFile, readCgroupLayout, readOptional } from "./cgroups.ts";
import { readCapabilities, readHardLimits } from "./processes.ts";

/** Go's names of architectures, which images and clients use, and the kernel's, which `docker info` shows. */
const ARCHITECTURES: Readonly<Record<string, { readonly go: string; readonly machine: string }>> = {
	x64: { go: "amd64", machine: "x86_64" },
	arm64: { go: "arm64", machine: "aarch64" },
	arm: { go: "arm", machine: "armv7l" },
	ia32: { go: "386", machine: "i686" },
	ppc64: { go: "ppc64le", machine: "ppc64le" },
	s390x: { go: "s390x", machine: "s390x" },
	riscv64: { go: "riscv64", machine: "riscv64" },
	loong64: { go: "loong64", machine: "loongarch64" },
};

export function readHostFacts(layout: CgroupLayout = readCgroupLayout()): HostFacts {
	const capabilities = readCapabilities();
	return {
		cpuCount: availableParallelism(),
		onlineCpus: readOptional("/sys/devices/system/cpu/online")?.trim() ?? "0",
		memoryNodes: readOptional("/sys/devices/system/node/online")?.trim() ?? "0",
		cgroupVersion: layout.version,
		cgroups: layout.version === 1 ? featuresV1(layout) : featuresV2(layout),
		hostname: hostname(),
		kernelRelease: release(),
		architecture: ARCHITECTURES[process.arch]?.go ?? process.arch,
		appArmor: readOptional("/sys/module/apparmor/parameters/enabled")?.trim() === "Y",
		capabilities: capabilities.bounding,
		hardLimits: readHardLimits(),
		canRaiseLimits: capabilities.effective.has("CAP_SYS_RESOURCE"),
	};
}

function featuresV1({ controllers }: CgroupLayout): CgroupFeatures {
	const directory = (controller: string) => controllers.get(controller)?.mountPoint;
	const memory = directory("memory");
	const cpu = directory("cpu");
	const blkio = directory("blkio");
	return {
		memoryLimit: memory !== undefined,
		swapLimit: hasFile(memory, "memory.memsw.limit_in_bytes"),
		memoryReservation: hasFile(memory, "memory.soft_limit_in_bytes"),
		memorySwappiness: hasFile(memory, "memory.swappiness"),
		oomKillDisable: hasFile(memory, "memory.oom_control"),
		cpuShares: hasFile(cpu, "cpu.shares"),
		cpuQuota: hasFile(cpu, "cpu.cfs_quota_us"),
		cpuRealtime: hasFile(cpu, "cpu.rt_period_us"),
		cpuset: controllers.has("cpuset"),
		pidsLimit: controllers.has("pids"),
		// BFQ has files of another name, which the OCI runtimes do not all write.
		blkioWeight: hasFile(blkio, "blkio.weight"),
		blkioWeightDevice: hasFile(blkio, "blkio.weight_device"),
		blkioThrottle: hasFile(blkio, "blkio.throttle.read_bps_device"),
	};
}

function featuresV2({ unified, unifiedControllers }: CgroupLayout): CgroupFeatures {
	const child = unified === undefined ? undefined : anyChildOf(unified.mountPoint);
	const has = (controller: string) => unifiedControllers.has(controller);
	const hasWeight = has("io") && (hasFile(child, "io.weight") || hasFile(child, "io.bfq.weight"));
	return {
		memoryLimit: has("memory"),
		// Not in the root cgroup; without any other to look at, a kernel with swap accounting is assumed.
		swapLimit: has("memory") && (child === undefined || hasFile(child, "memory.swap.max")),
		memoryReservation: has("memory"),
		memorySwappiness: false,
		oomKillDisable: false,
		cpuShares: has("cpu"),
		cpuQuota: has("cpu"),
		cpuRealtime: false,
		cpuset: has("cpuset"),
		pidsLimit: has("pids"),
		blkioWeight: hasWeight,
		blkioWeightDevice: hasWeight,
		blkioThrottle: has("io"),
	};
}

/** What `docker info` and `docker version` show of the machine. */
export interface MachineDescription {
	readonly kernelVersion: string;
	/** `Debian GNU/Linux 12 (bookworm)`. */
	readonly operatingSystem: string;
	/** `12`; empty for releases without one. */
	readonly osVersion: string;
	/** `x86_64`. */
	readonly machine: string;
	readonly memoryBytes: number;
	readonly cpuCount: number;
	readonly ipv4Forwarding: boolean;
	readonly bridgeNetfilterIpv4: boolean;
	readonly bridgeNetfilterIpv6: boolean;
}

export function describeMachine(): MachineDescription {
	const isOn = (path: string) => readOptional(path)?.trim() === "1";
	const osRelease = parseOsRelease(readOptional("/etc/os-release") ?? readOptional("/usr/lib/os-release") ?? "");
	return {
		kernelVersion: release(),
		operatingSystem: osRelease["PRETTY_NAME"] ?? "Linux",
		osVersion: osRelease["VERSION_ID"] ?? "",
		machine: ARCHITECTURES[process.arch]?.machine ?? process.arch,
		memoryBytes: totalmem(),
		cpuCount: availableParallelism(),
		ipv4Forwarding: isOn("/proc/sys/net/ipv4/ip_forward"),
		bridgeNetfilterIpv4: isOn("/proc/sys/net/bridge/bridge-nf-call-iptables"),
		bridgeNetfilterIpv6: isOn("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
	};
}

/** Lines `NAME=value` or `NAME="value"` (os-release(5)). */
export function parseOsRelease(text: string): Record<string, string> {
	const fields: Record<string, string> = {};
	for (const line of text.split("\n")) {
		const match = /^([A-Z0-9_]+)=(.*)$/.exec(line.trim());
		if (match === null) continue;
		fields[match[1] ?? ""] = (match[2] ?? "").replace(/^(["'])(.*)\1$/, "$2").replace(/\\(.)/g, "$1");
	}
	return fields;
}
