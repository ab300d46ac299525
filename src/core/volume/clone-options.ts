import type { VolumeRecord } from "./volume-record.ts";

/** Options of a copy: the limits and the file system of one's own, not what somebody else keeps. */
export function cloneOptions({ driver, options }: Pick<VolumeRecord, "driver" | "options">): Record<string, string> {
	return driver !== "local" || options["device"] !== undefined ? {} : { ...options };
}
