import { readFileSync, rmdirSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import type { ResourceMonitor, ResourceUsage } from "../../core/container/resource-monitor.ts";
import { NANOSECONDS_PER_TICK, readUsageV1, readUsageV2 } from "./cgroup-usage.ts";
import { type CgroupLayout, cgroupsOfProcess, directoryOf, processesOf, readCgroupLayout } from "./cgroups.ts";
import { isProcessAlive } from "./processes.ts";

/** user, nice, system, idle, iowait, irq, softirq: what docker's percentages are made against. */
const CPU_FIELDS = 7;

/** Reads the cgroup file systems at each call; the layout of the mounts is taken once. */
export class LinuxResourceMonitor implements ResourceMonitor {
	constructor(private readonly layout: CgroupLayout = readCgroupLayout()) {}

	usage(pid: number): ResourceUsage | undefined {
		const directories = cgroupsOfProcess(this.layout, pid);
		if (directories === undefined || !isProcessAlive(pid)) return undefined;
		const machineMemoryBytes = totalmem();
		if (this.layout.version === 1) return readUsageV1(directories, machineMemoryBytes);
		return readUsageV2(directories.get("") ?? "", machineMemoryBytes);
	}

	system(): { readonly cpuNs: number; readonly onlineCpus: number } {
		const lines = readFileSync("/proc/stat", "utf8").split("\n");
		const total = (lines[0] ?? "").split(/\s+/).slice(1, CPU_FIELDS + 1);
		const ticks = total.reduce((sum, field) => sum + Number(field), 0);
		return { cpuNs: ticks * NANOSECONDS_PER_TICK, onlineCpus: lines.filter((line) => /^cpu\d/.test(line)).length };
	}

	processes(pid: number): number[] {
		const directories = cgroupsOfProcess(this.layout, pid);
		const directory = this.layout.version === 2 ? directories?.get("") : firstOf(directories, PROCESS_CONTROLLERS);
		// Not in a cgroup of its own: then all that can be said is that it is there.
		if (directory === undefined || this.#isRoot(directory)) return directories === undefined ? [] : [pid];
		return processesOf(directory);
	}

	memoryCgroup(cgroupsPath: string): string {
		const hierarchy = this.layout.version === 2 ? this.layout.unified : this.layout.controllers.get("memory");
		return hierarchy === undefined ? "" : directoryOf(hierarchy, join("/", cgroupsPath));
	}

	removeCgroups(cgroupsPath: string): void {
		const { controllers, named, unified } = this.layout;
		const hierarchies = [...controllers.values(), ...named, ...(unified === undefined ? [] : [unified])];
		for (const directory of new Set(hierarchies.map((each) => directoryOf(each, join("/", cgroupsPath)))))
			try {
				rmdirSync(directory);
			} catch (cause) {
				// ENOENT is the rule. EBUSY: a process is in it, which whoever ends that process sees to.
				if (!["ENOENT", "EBUSY"].includes(errnoCode(cause) ?? ""))
					throw new SystemError(`cannot remove cgroup ${directory}: ${errorMessage(cause)}`, { cause });
			}
	}

	isAlive(pid: number): boolean {
		return isProcessAlive(pid);
	}

	async listProcesses(psArguments: readonly string[]): Promise<string> {
		try {
			const ps = Bun.spawn(["ps", ...psArguments], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
			const [output, complaint, exitCode] = await Promise.all([
				new Response(ps.stdout).text(),
				new Response(ps.stderr).text(),
				ps.exited,
			]);
			if (exitCode === 0) return output;
			const said = complaint.trim().split("\n")[0] ?? "";
			throw new SystemError(`ps: ${said || `exit status ${exitCode}`}`);
		} catch (cause) {
			if (errnoCode(cause) !== "ENOENT") throw cause;
			throw new SystemError("Error running ps: the program is missing, install the package procps", { cause });
		}
	}

	#isRoot(directory: string): boolean {
		const hierarchies = [...this.layout.controllers.values(), this.layout.unified];
		return hierarchies.some((hierarchy) => hierarchy?.mountPoint === directory);
	}
}

/** Controllers whose v1 hierarchy every container gets a cgroup in, the likeliest to be there first. */
const PROCESS_CONTROLLERS = ["pids", "devices", "freezer", "memory", "cpu"] as const;

function firstOf(map: ReadonlyMap<string, string> | undefined, keys: readonly string[]): string | undefined {
	const key = keys.find((candidate) => map?.has(candidate) === true);
	return key === undefined ? undefined : map?.get(key);
}
