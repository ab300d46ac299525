import { InvalidParameterError } from "../../base/errors.ts";

/** capabilities(7) in the order of their numbers. */
export const ALL_CAPABILITIES: readonly string[] = (
	"CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST " +
	"NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE " +
	"SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM " +
	"BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
	.split(" ")
	.map((name) => `CAP_${name}`);

export const DEFAULT_CAPABILITIES: readonly string[] =
	"CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
		.split(" ")
		.map((name) => `CAP_${name}`);

/** Names from the bits of `/proc/self/status`' `CapBnd`. */
export function capabilitiesOfMask(mask: bigint): Set<string> {
	return new Set(ALL_CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}

/**
 * `net_admin` as `CAP_NET_ADMIN`, `all` as `ALL`; sorted, each once. Null stays null.
 * @throws InvalidParameterError
 */
export function normaliseCapabilities(field: "CapAdd" | "CapDrop", names: readonly string[] | null): string[] | null {
	if (names === null) return null;
	const normalised = new Set<string>();
	for (const given of names) {
		const upper = given.toUpperCase();
		const name = upper === "ALL" ? "ALL" : `CAP_${upper.replace(/^CAP_/, "")}`;
		if (name !== "ALL" && !ALL_CAPABILITIES.includes(name))
			throw new InvalidParameterError(`invalid ${field}: unknown capability: "${name}"`);
		normalised.add(name);
	}
	return [...normalised].sort();
}

export interface CapabilityRequest {
	readonly add: readonly string[];
	readonly drop: readonly string[];
	readonly privileged: boolean;
}

/**
 * The capabilities a process gets: never more than the daemon has, whatever was asked for.
 * @param available the daemon's bounding set
 */
export function grantCapabilities(request: CapabilityRequest, available: ReadonlySet<string>): string[] {
	const all = ALL_CAPABILITIES.filter((name) => available.has(name));
	if (request.privileged) return all;
	const { add, drop } = request;
	if (add.includes("ALL")) return all.filter((name) => !drop.includes(name));
	const kept = drop.includes("ALL") ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name));
	const added = add.filter((name) => !kept.includes(name));
	return [...kept, ...added].filter((name) => available.has(name));
}
