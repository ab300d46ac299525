import type { Ulimit } from "../../api/engine/container.ts";
import type { ProcessRlimit } from "../../api/oci/runtime-spec.ts";
import type { HostFacts } from "./host-facts.ts";

/** getrlimit(2), as docker's `--ulimit` spells them. */
export const RLIMIT_NAMES: ReadonlySet<string> = new Set(
	"as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

/** RLIM_INFINITY does not fit a JSON number of ours exactly; runtimes read any value of 2^63 or more as unlimited in practice. */
const UNLIMITED = 2 ** 64 - 2 ** 11;

/** What the container gets: its own limits over the daemon's defaults, each clamped to what the daemon itself may set. */
export function buildRlimits(
	own: readonly Ulimit[],
	defaults: readonly Ulimit[],
	host: Pick<HostFacts, "hardLimits" | "canRaiseLimits">,
): ProcessRlimit[] {
	const limits = new Map([...defaults, ...own].map((limit) => [limit.Name, limit]));
	return [...limits.values()].map(({ Name, Soft, Hard }) => {
		const ceiling = host.canRaiseLimits ? UNLIMITED : (host.hardLimits[Name] ?? UNLIMITED);
		const hard = Math.min(Hard < 0 ? UNLIMITED : Hard, ceiling);
		return { type: `RLIMIT_${Name.toUpperCase()}`, hard, soft: Math.min(Soft < 0 ? UNLIMITED : Soft, hard) };
	});
}
