import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, runCommand } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";

const ROOT = join(import.meta.dir, "../../..");
const DIST = join(ROOT, "dist");

beforeAll(async () => {
	await mustRun([process.execPath, "tools/build/main.ts"], { cwd: ROOT, timeoutMs: 120_000 });
}, 120_000);

test("the compiled binary is the daemon and the client of a container's life", async () => {
	await using daemon = await TestDaemon.start({ programs: DIST });
	await daemon.loadBusybox();
	expect(await daemon.mustGantry(["run", "--rm", "busybox", "echo", "from the binary"])).toBe("from the binary");
	const failed = await daemon.gantry(["run", "--rm", "busybox", "sh", "-c", "echo problem >&2; exit 3"]);
	expect(failed).toEqual({ code: 3, stdout: "", stderr: "problem\n" });
	const id = await daemon.mustGantry(["run", "-d", "busybox", "sleep", "100"]);
	expect(await daemon.mustGantry(["exec", "-i", id, "cat"], { stdin: "through exec" })).toBe("through exec");
	await daemon.kill();
	await daemon.start();
	expect(await daemon.mustGantry(["inspect", "--format", "{{.State.Status}}", id])).toBe("running");
});

test("the compiled binary takes nothing from .env and bunfig.toml of the directory it is run in", async () => {
	const project = mkdtempSync(join(tmpdir(), "gantry-project-"));
	try {
		writeFileSync(join(project, ".env"), "DOCKER_HOST=tcp://from-the-project:1\n");
		writeFileSync(join(project, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
		writeFileSync(join(project, "preload.ts"), 'console.log("preloaded");\n');
		const version = await mustRun([join(DIST, "gantry"), "--version"], { cwd: "/" });
		expect(await mustRun([join(DIST, "gantry"), "--version"], { cwd: project })).toBe(version);
		const env = { DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined };
		const ps = await runCommand([join(DIST, "gantry"), "ps"], { cwd: project, env });
		expect(ps.stdout + ps.stderr).not.toContain("from-the-project");
	} finally {
		rmSync(project, { recursive: true, force: true });
	}
});
