/** Archives of bzip2 and xz, by the machine's programs: ADD, layers that are loaded, and files that are no archives. */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite();

const build = (...args: string[]) =>
	suite.daemon.gantry(["build", "--progress", "plain", ...args, suite.context.directory]);

test("ADD unpacks them, and leaves compressed files that are no archives as they are", async () => {
	suite.context.write({ "tree/d/f": "unpacked\n", notes: "no archive\n" });
	await mustRun(["tar", "-C", suite.context.path("tree"), "-cjf", suite.context.path("one.tar.bz2"), "d"]);
	await mustRun(["tar", "-C", suite.context.path("tree"), "-cJf", suite.context.path("two.tar.xz"), "d"]);
	await mustRun(["bzip2", "-k", suite.context.path("notes")]);
	await mustRun(["xz", "-k", suite.context.path("notes")]);
	suite.context.write({
		Dockerfile: ["FROM busybox", "ADD one.tar.bz2 /one", "ADD two.tar.xz /two", "ADD notes.bz2 notes.xz /notes/"],
	});
	const { code, stderr } = await build("-t", "added");
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
	const script = "cat /one/d/f /two/d/f; ls /notes; bunzip2 -c /notes/notes.bz2";
	expect(await suite.daemon.mustDocker(["run", "--rm", "added", "sh", "-c", script])).toBe(
		"unpacked\nunpacked\nnotes.bz2\nnotes.xz\nno archive",
	);
});

test("a damaged one fails the step", async () => {
	mkdirSync(suite.context.path("tree"));
	writeFileSync(suite.context.path("tree/f"), crypto.getRandomValues(new Uint8Array(50_000)));
	await mustRun(["tar", "-C", suite.context.directory, "-cJf", suite.context.path("whole.tar.xz"), "tree"]);
	await mustRun([
		"sh",
		"-c",
		'head -c 40000 "$0" > "$1"',
		suite.context.path("whole.tar.xz"),
		suite.context.path("cut.tar.xz"),
	]);
	suite.context.write({ Dockerfile: ["FROM busybox", "ADD cut.tar.xz /"] });
	const { code, stderr } = await build();
	expect(code).toBe(1);
	expect(stderr).toContain("invalid xz data");
});

test("images are loaded and trees imported from them", async () => {
	await mustRun(["sh", "-c", 'echo packed > "$0"', suite.context.path("f")]);
	await mustRun(["tar", "-C", suite.context.directory, "-cJf", suite.context.path("import.tar.xz"), "f"]);
	await suite.daemon.mustDocker(["import", suite.context.path("import.tar.xz"), "imported"]);
	await suite.daemon.mustDocker(["save", "-o", suite.context.path("image.tar"), "imported"]);
	await mustRun(["bzip2", suite.context.path("image.tar")]);
	await suite.daemon.mustDocker(["rmi", "imported"]);
	expect(await suite.daemon.mustDocker(["load", "-i", suite.context.path("image.tar.bz2")])).toContain(
		"imported:latest",
	);
	suite.context.write({ Dockerfile: ["FROM busybox", "COPY --from=imported /f /f", "RUN cat /f"] });
	expect((await build("--no-cache")).stderr).toContain("packed");
});
