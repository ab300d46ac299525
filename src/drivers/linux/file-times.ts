/** Times of files as the kernel takes them. */
import { check, libc } from "./libc.ts";

const NS = 1_000_000_000n;
/** Two struct timespec: access, modification. Calls are synchronous. */
const SCRATCH = new BigInt64Array(4);

/** The argument of utimensat(2) and futimens(3), valid until the next call. Nanoseconds since the epoch, before 1970 as well. */
export function timespecs(accessedNs: bigint, modifiedNs: bigint): BigInt64Array {
	put(2, modifiedNs);
	if (accessedNs !== modifiedNs) put(0, accessedNs);
	else {
		SCRATCH[0] = SCRATCH[2] as bigint;
		SCRATCH[1] = SCRATCH[3] as bigint;
	}
	return SCRATCH;
}

/** Times of an open file. @throws ErrnoError */
export function setFileTimes(fd: number, accessedNs: bigint, modifiedNs: bigint): void {
	check(libc.futimens(fd, timespecs(accessedNs, modifiedNs)), "futimens", fd);
}

/** Seconds and nanoseconds; the latter are never negative. */
function put(at: number, ns: bigint): void {
	let rest = ns % NS;
	if (rest < 0n) rest += NS;
	SCRATCH[at] = (ns - rest) / NS;
	SCRATCH[at + 1] = rest;
}
