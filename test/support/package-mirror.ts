/** Whether tests that install Debian packages can run here. */
import { hostMirrors } from "../../src/cli/image/bootstrap/debian.ts";

const REPLY_MS = 15_000;

/** Why they cannot, for people; undefined when the mirror of this machine answers. */
export async function whyNoPackages(): Promise<string | undefined> {
	if (Bun.which("apt-get") === null) return "base images are made of Debian packages, and there is no apt-get";
	const url = `${hostMirrors().main}/dists/bookworm/InRelease`;
	const reply = await fetch(url, { signal: AbortSignal.timeout(REPLY_MS) }).catch((error: Error) => error);
	if (reply instanceof Response && reply.ok) return undefined;
	return `the package mirror cannot be reached: ${url}: ${reply instanceof Response ? reply.status : reply.message}`;
}
