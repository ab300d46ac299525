import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, runCommand } from "../../support/commands.ts";

const ROOT = join(import.meta.dir, "../../..");
const directory = mkdtempSync(join(tmpdir(), "gantry-launchers-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the user's own project may hold: Bun would read both files of the directory it is started in. */
const project = join(directory, "project");
beforeAll(() => {
	mkdirSync(project);
	writeFileSync(join(project, ".env"), "DOCKER_HOST=tcp://from-the-project:1\nHTTP_PROXY=http://from-the-project:1\n");
	writeFileSync(join(project, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
	writeFileSync(join(project, "preload.ts"), 'console.log("preloaded by the project");\n');
});

const withoutHost = { DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined };

for (const name of ["gantry", "gantryd"])
	describe(name, () => {
		test("runs through relative and absolute symbolic links", async () => {
			const direct = await mustRun([join(ROOT, "bin", name), "--version"]);
			const links = join(directory, `links-${name}`);
			mkdirSync(links);
			symlinkSync(join(ROOT, "bin", name), join(links, "absolute"));
			symlinkSync("absolute", join(links, "relative"));
			expect(direct).toMatch(/^Gantry/i);
			expect(await mustRun([join(links, "relative"), "--version"], { cwd: "/" })).toBe(direct);
			expect(await mustRun(["relative", "--version"], { env: { PATH: `${links}:${process.env["PATH"]}` } })).toBe(
				direct,
			);
		});

		test("says what to do where the checkout has no dependencies", async () => {
			const bare = join(directory, `bare-${name}`);
			await mustRun(["mkdir", "-p", join(bare, "bin")]);
			await mustRun(["cp", join(ROOT, "bin", name), join(bare, "bin")]);
			const result = await runCommand([join(bare, "bin", name), "--version"]);
			expect(result.code).not.toBe(0);
			expect(result.stderr).toContain(`run 'npm ci' in ${bare}`);
		});
	});

test("the command line takes nothing from .env and bunfig.toml of the directory it is run in", async () => {
	const gantry = join(ROOT, "bin/gantry");
	expect(await mustRun([gantry, "--version"], { cwd: project })).toBe(await mustRun([gantry, "--version"]));
	const result = await runCommand([gantry, "ps"], { cwd: project, env: withoutHost });
	expect(result.stdout + result.stderr).not.toContain("from-the-project");
});
