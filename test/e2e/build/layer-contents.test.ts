/** What of a step's changes its layer tells: times of directories, nothing of mounts, no file that others would take for a removal. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite();
const { mustBuild, failure, run } = suite;

const layers = async (image: string) =>
	Number(await suite.daemon.mustDocker(["image", "inspect", "-f", "{{len .RootFS.Layers}}", image]));

test("a directory of which only the time was changed is in the layer", async () => {
	await mustBuild(
		[
			"FROM busybox",
			"RUN mkdir -p /d/e /f && touch -d 2001-02-03 /d/e /d /f",
			"RUN touch -d 2002-02-03 /d/e",
			"RUN touch /f/x && rm /f/x",
			// Nothing that a layer could tell.
			"RUN chmod 755 /d && touch -a /d",
		],
		"-t",
		"times",
	);
	expect(await layers("times")).toBe(4);
	const years = "for i in /d /d/e /f; do date -u -r $i +%Y; done";
	const [d, e, f] = (await run("times", years)).split("\n");
	expect([d, e]).toEqual(["2001", "2002"]);
	expect(f).not.toBe("2001");
	// As others get it.
	await suite.daemon.mustDocker(["save", "-o", suite.context.path("times.tar"), "times"]);
	await suite.daemon.mustDocker(["rmi", "times"]);
	await suite.daemon.mustGantry(["builder", "prune", "-af"]);
	await suite.daemon.mustDocker(["load", "-i", suite.context.path("times.tar")]);
	expect((await run("times", years)).split("\n")).toEqual(["2001", "2002", f ?? ""]);
});

test("what mounts need to stand on leaves no trace, whatever is or is not there", async () => {
	await mustBuild(
		[
			"FROM busybox",
			"RUN mkdir -p /d/there /empty && ln -s there /d/link",
			[
				"RUN --mount=type=cache,target=/d/cache --mount=type=cache,target=/d/link/a/b --mount=type=tmpfs,target=/empty",
				"--mount=type=bind,source=Dockerfile,target=/new/Dockerfile --mount=type=secret,id=s,target=/d/secret",
				"grep -q FROM /new/Dockerfile && test -f /d/secret && touch /d/cache/x /d/there/a/b/x /empty/x",
			].join(" "),
			"RUN --mount=type=cache,target=/d/late touch -d 2003-02-03 /d",
		],
		"-t",
		"mounts",
		"--secret",
		`id=s,src=${suite.context.path("Dockerfile")}`,
	);
	expect(await layers("mounts")).toBe(3);
	expect(
		await run("mounts", "ls -A / /d /d/there /empty | grep -E 'cache|secret|new|late|[ab]$' || date -u -r /d +%Y"),
	).toBe("2003");
});

const REFUSAL = "no layer can have a file of that name: names with .wh. in front stand for files that were removed";

for (const [what, dockerfile] of [
	["RUN", ["RUN touch /d/.wh.a"]],
	["a heredoc of COPY", ["COPY <<.wh.a /d/", "text", ".wh.a"]],
	["an archive of ADD", ["ADD whiteout.tar /"]],
] as const)
	test(`${what} fails where it would make a file that stands for a removal`, async () => {
		suite.context.write({ "d/.wh.a": "" });
		await mustRun(["tar", "-C", suite.context.directory, "-cf", suite.context.path("whiteout.tar"), "d/.wh.a"]);
		const text = await failure(["FROM busybox", "RUN mkdir /d && touch /d/a", ...dockerfile]);
		expect(text).toContain(`/d/.wh.a: ${REFUSAL}`);
		expect(text).toContain("Dockerfile:3");
	});

test("commit fails, too; a file that is removed again is no matter", async () => {
	await suite.daemon.mustDocker(["run", "--name", "named", "busybox", "touch", "/bin/.wh.sh"]);
	const { code, stderr } = await suite.daemon.docker(["commit", "named"]);
	expect([code, stderr]).toEqual([1, expect.stringContaining(`/bin/.wh.sh: ${REFUSAL}`)]);
	await suite.daemon.mustDocker(["rm", "named"]);
	await mustBuild(["FROM busybox", "RUN touch /.wh.a && rm /.wh.a"]);
});
