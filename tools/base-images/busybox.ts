/** The busybox base image for tests and benchmarks, which make it at once from what is installed; users have `gantry image bootstrap`. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { BUSYBOX_TIME_S, busyboxEntries } from "../../src/cli/image/bootstrap/busybox-tree.ts";
import { type TarEntry, writeTar } from "../../src/cli/image/bootstrap/entry-tar.ts";

/** What `import --change` must add to the tar to make the image. */
export const BUSYBOX_CHANGES = [
	'CMD ["sh"]',
	"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
] as const;

/**
 * The tar of the image's only layer.
 * @throws Error when the host has no static busybox.
 */
export function makeBusyboxTar(): Uint8Array {
	return writeTar(busyboxImageEntries(), BUSYBOX_TIME_S);
}

/** What is in that tar, for images that add to it. */
export function busyboxImageEntries(): TarEntry[] {
	const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
	if (busybox === undefined) throw new Error("No /bin/busybox on this machine: install the package busybox-static");
	const listed = spawnSync(busybox, ["--list"], { encoding: "utf8" });
	if (listed.status !== 0) throw new Error(`${busybox} --list failed: ${listed.stderr}`);
	return busyboxEntries(readFileSync(busybox), listed.stdout.trim().split("\n"));
}
