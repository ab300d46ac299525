import type { Ulimit } from "../../api/engine/container.ts";
import type { ProcessRlimit, RlimitValue } from "../../api/oci/runtime-spec.ts";
import type { HostFacts } from "./host-facts.ts";

declare global {
	interface JSON {
		/** ECMAScript 2026; not in TypeScript's library yet. */
		rawJSON(text: string): { readonly rawJSON: string };
	}
}

/** getrlimit(2), as docker's `--ulimit` spells them. */
export const RLIMIT_NAMES: ReadonlySet<string> = new Set(
	"as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** RLIM_INFINITY is 2^64-1, which a number cannot hold: it is written into the JSON digit by digit. */
const INFINITY: RlimitValue = JSON.rawJSON("18446744073709551615");

/**
 * What the container gets: its own limits over the daemon's defaults. The latter, and "unlimited", are clamped to what
 * the daemon itself may set; a number that somebody asked for is not, so the runtime says when it can't be had.
 */
export function buildRlimits(
	own: readonly Ulimit[],
	defaults: readonly Ulimit[],
	host: Pick<HostFacts, "hardLimits" | "canRaiseLimits">,
): ProcessRlimit[] {
	const limits = new Map([...defaults, ...own].map((limit) => [limit.Name, limit]));
	const asked = new Set(own.map(({ Name }) => Name));
	return [...limits.values()].map(({ Name, Soft, Hard }) => {
		const isFree = host.canRaiseLimits || (asked.has(Name) && Hard >= 0);
		const ceiling = isFree ? Number.POSITIVE_INFINITY : (host.hardLimits[Name] ?? Number.POSITIVE_INFINITY);
		const hard = Math.min(Hard < 0 ? Number.POSITIVE_INFINITY : Hard, ceiling);
		const soft = Math.min(Soft < 0 ? Number.POSITIVE_INFINITY : Soft, hard);
		return { type: `RLIMIT_${Name.toUpperCase()}`, hard: encode(hard), soft: encode(soft) };
	});
}

function encode(limit: number): RlimitValue {
	return Number.isFinite(limit) ? limit : INFINITY;
}
