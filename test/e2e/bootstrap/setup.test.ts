import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../support/commands.ts";

const ROOT = join(import.meta.dir, "../../..");
const START = join(ROOT, "tools/setup/start.mjs");
const node = Bun.which("node") ?? "node";
const directory = mkdtempSync(join(tmpdir(), "gantry-setup-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeAll(() => {
	chmodSync(directory, 0o755);
	writeFileSync(join(directory, "os-release"), 'ID=fedora\nPRETTY_NAME="Fedora Linux 41"\n');
	writeFileSync(join(directory, "apt-get"), "#!/bin/sh\necho 'E: no network' >&2\nexit 100\n", { mode: 0o755 });
	writeFileSync(join(directory, "dpkg-query"), "#!/bin/sh\necho crun installed\n", { mode: 0o755 });
});

/** In a mount namespace of its own, with `cover` in the place of `path`. */
function withCovered(path: string, cover: string, argv: readonly string[]) {
	const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
	return runCommand(["unshare", "--mount", "sh", "-c", script, "sh", cover, path, ...argv]);
}

test("the set-up on another distribution names what to install and ends with 1", async () => {
	const result = await withCovered(realpathSync("/etc/os-release"), join(directory, "os-release"), [node, START]);
	expect(result.code).toBe(1);
	expect(result.stderr).toContain("this is Fedora Linux 41");
	expect(result.stderr).toMatch(/Install what corresponds to: crun runc .*busybox-static .*gcc make/);
	expect(result.stderr).not.toContain("    at ");
});

test("the set-up without root says so and ends with 1", async () => {
	// The checkout may lie where only root may look.
	const copy = join(directory, "copy/tools/setup");
	await runCommand(["mkdir", "-p", copy]);
	await runCommand(["sh", "-c", 'cp "$1"/tools/setup/*.mjs "$2"', "sh", ROOT, copy]);
	const unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
	const result = await runCommand([...unprivileged, node, join(copy, "start.mjs")]);
	expect(result.code).toBe(1);
	expect(result.stderr).toContain("Gantry needs root");
	expect(result.stderr).not.toContain("    at ");
});

test("the set-up names the packages that cannot be installed, why, and ends with 1", async () => {
	const result = await runCommand([node, START], { env: { PATH: `${directory}:${process.env["PATH"]}` } });
	expect(result.code).toBe(1);
	expect(result.stderr).toContain("could not be installed: runc libnftables1");
	expect(result.stderr).toContain("E: no network");
	expect(result.stderr).not.toContain("    at ");
});
