/** Older ones print some things in another form. */
const OLDEST_MAJOR = 28;

/** Docker's own client, where this machine has one that is new enough. */
export function findDockerClient(): string | undefined {
	const path = Bun.which("docker");
	if (path === null) return undefined;
	const version = Bun.spawnSync([path, "--version"]).stdout.toString();
	return Number(/version (\d+)/.exec(version)?.[1] ?? 0) >= OLDEST_MAJOR ? path : undefined;
}

/** What its absence means for the tests. */
export const WITHOUT_DOCKER_CLIENT =
	`No Docker client, ${OLDEST_MAJOR} or newer, is on the PATH: gantry stands in for it, ` +
	"and the tests that compare the two are skipped.";
