import { libc } from "./libc.ts";

/**
 * Gives what C libraries have freed back to the kernel. glibc keeps it: after one look at a long firewall ruleset, tens of
 * megabytes.
 */
export function releaseFreedMemory(): void {
	libc.malloc_trim(0);
}
