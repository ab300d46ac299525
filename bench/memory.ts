/** Resident memory of an engine: its daemon's processes, and what each running container adds, from /proc. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type EngineClient, IMAGE, PREFIX } from "./engine-client.ts";

const CONTAINERS = 10;
/** Longer than daemons wait before they give memory back. */
const SETTLE_MS = 18_000;
const BYTES_PER_MB = 1_000_000;

export interface MemoryFigures {
	/** Daemon and its children, with no container. */
	readonly idleMb: number;
	/** Growth for each running container: monitors, proxies and the daemon's own, without the container's processes. */
	readonly perContainerMb: number;
}

/** Daemon and its children, once it is quiet. */
export async function measureIdle(client: EngineClient): Promise<number> {
	const daemonPid = findListener(client.side.host.replace("unix://", ""));
	await Bun.sleep(SETTLE_MS);
	return sumResident(daemonTree(readProcesses(), daemonPid)) / BYTES_PER_MB;
}

export async function measureMemory(client: EngineClient): Promise<MemoryFigures> {
	const daemonPid = findListener(client.side.host.replace("unix://", ""));
	await Bun.sleep(SETTLE_MS);
	const idleBytes = sumResident(daemonTree(readProcesses(), daemonPid));
	const names = Array.from({ length: CONTAINERS }, (_, index) => `${PREFIX}-${index}`);
	for (const name of names) await client.time("run", "-d", "--name", name, IMAGE, "sleep", "3600");
	await Bun.sleep(SETTLE_MS);
	const after = readProcesses();
	const pids = (await client.output("inspect", "--format", "{{.State.Pid}}", ...names)).split("\n").map(Number);
	const engine = new Set([...daemonTree(after, daemonPid), ...pids.map((pid) => monitorOf(after, pid))]);
	await client.removeContainers();
	return {
		idleMb: idleBytes / BYTES_PER_MB,
		perContainerMb: (sumResident([...engine]) - idleBytes) / CONTAINERS / BYTES_PER_MB,
	};
}

interface ProcessInfo {
	readonly pid: number;
	readonly parentPid: number;
	readonly residentBytes: number;
	/** In a pid namespace other than ours. */
	readonly isInContainer: boolean;
}

function readProcesses(): Map<number, ProcessInfo> {
	const own = readlinkSync("/proc/self/ns/pid");
	const found = new Map<number, ProcessInfo>();
	for (const pid of listPids()) {
		try {
			const status = readFileSync(`/proc/${pid}/status`, "utf8");
			const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
			const isInContainer = readlinkSync(`/proc/${pid}/ns/pid`) !== own;
			found.set(pid, { pid, parentPid: field("PPid"), residentBytes: field("VmRSS") * 1024, isInContainer });
		} catch {
			// the process ended meanwhile
		}
	}
	return found;
}

function listPids(): number[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.map(Number);
}

/** Monitors are the parents of containers' first processes. */
function monitorOf(processes: ReadonlyMap<number, ProcessInfo>, pid: number): ProcessInfo {
	const monitor = processes.get(processes.get(pid)?.parentPid ?? -1);
	if (monitor === undefined)
		throw new Error(`Process ${pid} of a container has no monitor among the processes seen from here`);
	return monitor;
}

function daemonTree(processes: ReadonlyMap<number, ProcessInfo>, root: number): ProcessInfo[] {
	const isBelow = (pid: number): boolean => {
		if (pid === root) return true;
		const parent = processes.get(pid)?.parentPid;
		return parent !== undefined && parent > 1 && isBelow(parent);
	};
	return [...processes.values()].filter((each) => !each.isInContainer && isBelow(each.pid));
}

function sumResident(processes: readonly ProcessInfo[]): number {
	return processes.reduce((sum, each) => sum + each.residentBytes, 0);
}

/**
 * The process that listens on a unix socket. Sockets are listed by network namespace, so every process is asked for its own.
 * @throws Error when nobody does.
 */
function findListener(socketPath: string): number {
	for (const pid of listPids()) {
		try {
			const line = readFileSync(`/proc/${pid}/net/unix`, "utf8")
				.split("\n")
				// Flags 00010000: it accepts connections. A path made by way of /var/run shows as it was given.
				.find((each) => / 00010000 /.test(each) && samePath(each.split(" ").at(-1) ?? "", socketPath));
			const inode = line?.trim().split(/\s+/)[6];
			if (inode !== undefined && holdsSocket(pid, inode)) return pid;
		} catch {
			// the process ended meanwhile
		}
	}
	throw new Error(`No process listens on ${socketPath}`);
}

function samePath(a: string, b: string): boolean {
	const normal = (path: string) => path.replace(/^\/var\/run\//, "/run/");
	return normal(a) === normal(b);
}

function holdsSocket(pid: number, inode: string): boolean {
	return readdirSync(`/proc/${pid}/fd`).some((fd) => {
		try {
			return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
		} catch {
			return false; // closed meanwhile
		}
	});
}
