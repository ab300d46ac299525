/** `COPY --link`: layers that do not depend on what is below them. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite();

const { mustBuild } = suite;

const layersOf = async (image: string): Promise<string[]> =>
	JSON.parse(await suite.daemon.mustDocker(["image", "inspect", "-f", "{{json .RootFS.Layers}}", image]));
const run = (image: string, script: string) => suite.daemon.mustDocker(["run", "--rm", image, "sh", "-c", script]);

test("a linked layer is the same on another base, from the cache", async () => {
	suite.context.write({ "tree/a/file": "linked", more: "added" });
	const on = (change: string) => [
		"FROM busybox",
		`RUN ${change}`,
		"COPY --link --chown=1000:1000 tree /opt/tree/",
		"ADD --link more /opt/more",
		"RUN cat /opt/tree/a/file /opt/more > /both",
	];
	const first = await mustBuild(on("echo one > /base"), "-t", "link:1");
	expect(first).not.toMatch(/(?:COPY|ADD) .*\n#\d+ CACHED/);
	const second = await mustBuild(on("mkdir -p /opt && chmod 700 /opt && echo two > /opt/base"), "-t", "link:2");
	expect(second.match(/\] (?:COPY|ADD) .*\n#\d+ CACHED/g)?.length).toBe(2);
	const [one, two] = [await layersOf("link:1"), await layersOf("link:2")];
	expect(one.at(-4)).not.toBe(two.at(-4));
	expect(one.slice(-3, -1)).toEqual(two.slice(-3, -1));
	expect(await run("link:1", "cat /both; stat -c %u:%g /opt/tree/a/file; ls /opt")).toBe(
		"linkedadded1000:1000\nmore\ntree",
	);
	expect(await run("link:2", "cat /opt/base /both")).toBe("two\nlinkedadded");
	// The same build again is the same image.
	const id = () => suite.daemon.mustDocker(["image", "inspect", "-f", "{{.Id}}", "link:2"]);
	const before = await id();
	await mustBuild(on("mkdir -p /opt && chmod 700 /opt && echo two > /opt/base"), "-t", "link:2");
	expect(await id()).toBe(before);
	// It is read as an image that was never linked.
	const archive = suite.context.path("link.tar");
	await suite.daemon.mustDocker(["save", "-o", archive, "link:2"]);
	await suite.daemon.mustDocker(["rmi", "-f", "link:1", "link:2"]);
	await suite.daemon.api("POST", "/v1.43/build/prune?all=1");
	await suite.daemon.mustDocker(["load", "-i", archive]);
	expect(await run("link:2", "cat /opt/base /both")).toBe("two\nlinkedadded");
});

test("a linked layer does not follow symlinks of the base, and knows its users", async () => {
	suite.context.write({ file: "x" });
	await mustBuild(
		[
			"FROM busybox",
			"RUN mkdir /real && ln -s /real /dest && echo 'me:x:77:78:::' >> /etc/passwd && echo 'us:x:78:' >> /etc/group",
			"COPY --link --chown=me:us file /dest/",
		],
		"-t",
		"link:3",
	);
	expect(await run("link:3", "ls /real | wc -l; stat -c '%F %u:%g' /dest /dest/file")).toContain("0\ndirectory");
	expect(await run("link:3", "stat -c %u:%g /dest/file")).toBe("77:78");
});

test("a linked layer alone, and one that changes nothing", async () => {
	suite.context.write({ file: "x", "empty/.keep": "" });
	await mustBuild(["FROM scratch", "COPY --link file /", "COPY --link --exclude=.keep empty /"], "-t", "link:4");
	expect((await layersOf("link:4")).length).toBe(1);
});

test("a linked copy goes into a cache directory, and serves another base from there", async () => {
	suite.context.write({ file: "travels" });
	const directory = suite.context.path(".cache");
	suite.context.write({ ".dockerignore": ".cache" });
	const on = (change: string) => ["FROM busybox", `RUN echo ${change} > /base`, "COPY --link file /opt/file"];
	await mustBuild(on("here"), "-t", "link:5", "--cache-to", `type=local,dest=${directory}`);
	const [there] = (await layersOf("link:5")).slice(-1);
	await suite.daemon.mustDocker(["rmi", "-f", "link:5"]);
	await suite.daemon.api("POST", "/v1.43/build/prune?all=1");
	const output = await mustBuild(on("there"), "-t", "link:5", "--cache-from", `type=local,src=${directory}`);
	expect(output).toMatch(/COPY --link .*\n#\d+ CACHED/);
	expect((await layersOf("link:5")).at(-1)).toBe(there as string);
	expect(await run("link:5", "cat /base /opt/file")).toBe("there\ntravels");
});
