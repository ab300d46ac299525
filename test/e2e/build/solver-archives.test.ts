/** Archives of bzip2 and xz, by the machine's programs: ADD, layers that are loaded, and files that are no archives. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { TestContext } from "../../support/build-context.ts";
import { mustRun } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";

let daemon: TestDaemon;
let context: TestContext;

beforeAll(async () => {
	daemon = await TestDaemon.start();
	await daemon.loadBusybox();
});
afterAll(() => daemon.remove());
beforeEach(() => {
	context = new TestContext({});
	return () => context[Symbol.dispose]();
});

const build = (...args: string[]) => daemon.gantry(["build", "--progress", "plain", ...args, context.directory]);

test("ADD unpacks them, and leaves compressed files that are no archives as they are", async () => {
	context.write({ "tree/d/f": "unpacked\n", notes: "no archive\n" });
	await mustRun(["tar", "-C", context.path("tree"), "-cjf", context.path("one.tar.bz2"), "d"]);
	await mustRun(["tar", "-C", context.path("tree"), "-cJf", context.path("two.tar.xz"), "d"]);
	await mustRun(["bzip2", "-k", context.path("notes")]);
	await mustRun(["xz", "-k", context.path("notes")]);
	context.write({
		Dockerfile: ["FROM busybox", "ADD one.tar.bz2 /one", "ADD two.tar.xz /two", "ADD notes.bz2 notes.xz /notes/"],
	});
	const { code, stderr } = await build("-t", "added");
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
	const script = "cat /one/d/f /two/d/f; ls /notes; bunzip2 -c /notes/notes.bz2";
	expect(await daemon.mustDocker(["run", "--rm", "added", "sh", "-c", script])).toBe(
		"unpacked\nunpacked\nnotes.bz2\nnotes.xz\nno archive",
	);
});

test("a damaged one fails the step", async () => {
	mkdirSync(context.path("tree"));
	writeFileSync(context.path("tree/f"), crypto.getRandomValues(new Uint8Array(50_000)));
	await mustRun(["tar", "-C", context.directory, "-cJf", context.path("whole.tar.xz"), "tree"]);
	await mustRun(["sh", "-c", 'head -c 40000 "$0" > "$1"', context.path("whole.tar.xz"), context.path("cut.tar.xz")]);
	context.write({ Dockerfile: ["FROM busybox", "ADD cut.tar.xz /"] });
	const { code, stderr } = await build();
	expect(code).toBe(1);
	expect(stderr).toContain("invalid xz data");
});

test("images are loaded and trees imported from them", async () => {
	await mustRun(["sh", "-c", 'echo packed > "$0"', context.path("f")]);
	await mustRun(["tar", "-C", context.directory, "-cJf", context.path("import.tar.xz"), "f"]);
	await daemon.mustDocker(["import", context.path("import.tar.xz"), "imported"]);
	await daemon.mustDocker(["save", "-o", context.path("image.tar"), "imported"]);
	await mustRun(["bzip2", context.path("image.tar")]);
	await daemon.mustDocker(["rmi", "imported"]);
	expect(await daemon.mustDocker(["load", "-i", context.path("image.tar.bz2")])).toContain("imported:latest");
	context.write({ Dockerfile: ["FROM busybox", "COPY --from=imported /f /f", "RUN cat /f"] });
	expect((await build("--no-cache")).stderr).toContain("packed");
});
