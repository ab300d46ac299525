/** What /proc tells of processes (proc(5)). */
import { readFileSync } from "node:fs";
import { readOptional } from "./cgroups.ts";

/** Capability names by bit (include/uapi/linux/capability.h). */
const CAPABILITIES = (
	"CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST " +
	"NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE " +
	"SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM " +
	"BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split(" ");

export interface ProcessCapabilities {
	readonly bounding: ReadonlySet<string>;
	readonly effective: ReadonlySet<string>;
}

/** Names as `CAP_CHOWN`. */
export function readCapabilities(pid: number | "self" = "self"): ProcessCapabilities {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const set = (field: string) => {
		const bits = BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)`, "m").exec(status)?.[1] ?? "0"}`);
		return new Set(CAPABILITIES.flatMap((name, bit) => (((bits >> BigInt(bit)) & 1n) === 1n ? [`CAP_${name}`] : [])));
	};
	return { bounding: set("CapBnd"), effective: set("CapEff") };
}

const LIMIT_NAMES: Readonly<Record<string, string>> = {
	"Max cpu time": "cpu",
	"Max file size": "fsize",
	"Max data size": "data",
	"Max stack size": "stack",
	"Max core file size": "core",
	"Max resident set": "rss",
	"Max processes": "nproc",
	"Max open files": "nofile",
	"Max locked memory": "memlock",
	"Max address space": "as",
	"Max file locks": "locks",
	"Max pending signals": "sigpending",
	"Max msgqueue size": "msgqueue",
	"Max nice priority": "nice",
	"Max realtime priority": "rtprio",
	"Max realtime timeout": "rttime",
};

/** Hard resource limits by the names of `--ulimit`; unlimited ones are left out. */
export function readHardLimits(pid: number | "self" = "self"): Record<string, number> {
	const limits: Record<string, number> = {};
	for (const line of readFileSync(`/proc/${pid}/limits`, "utf8").split("\n")) {
		const name = LIMIT_NAMES[line.slice(0, 26).trim()];
		const hard = Number(line.slice(47, 68).trim());
		if (name !== undefined && !Number.isNaN(hard)) limits[name] = hard;
	}
	return limits;
}

export interface ProcessStatus {
	/** One letter, as ps shows it: R, S, D, Z, … */
	readonly state: string;
	readonly parentPid: number;
	/** Clock ticks after boot. With the pid it names a process for good. */
	readonly startTicks: number;
}

/** Undefined when there is no such process. */
export function readProcessStatus(pid: number): ProcessStatus | undefined {
	const text = readOptional(`/proc/${pid}/stat`);
	if (text === undefined) return undefined;
	// The name in parentheses may contain anything, parentheses and spaces included.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { state: fields[0] ?? "", parentPid: Number(fields[1]), startTicks: Number(fields[19]) };
}

/** Runs or sleeps: neither gone nor a zombie. */
export function isProcessAlive(pid: number): boolean {
	const status = pid > 0 ? readProcessStatus(pid) : undefined;
	return status !== undefined && status.state !== "Z" && status.state !== "X";
}
