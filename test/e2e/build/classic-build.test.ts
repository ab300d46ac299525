/** `DOCKER_BUILDKIT=0 docker build` with the official client: the classic API as clients have relied on it for years. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { dockerClient } from "../../support/daemon.ts";
import { expectNoLeaks, takeSnapshot } from "../../support/leaks.ts";

const suite = new BuildSuite();

/** gantry can stand in for the client, but not for what it says. */
const describeDocker = describe.skipIf(dockerClient === undefined);

const CLASSIC = { env: { DOCKER_BUILDKIT: "0" } };

function build(dockerfile: readonly string[], ...args: string[]) {
	suite.context.write({ Dockerfile: dockerfile });
	return suite.daemon.docker(["build", ...args, suite.context.directory], CLASSIC);
}

/** Its standard output. */
async function mustBuild(dockerfile: readonly string[], ...args: string[]): Promise<string> {
	const { code, stdout, stderr } = await build(dockerfile, ...args);
	if (code !== 0) throw new Error(`${stdout}\n${stderr}`);
	return stdout;
}

/** Output of a command in an image. */
function run(image: string, ...command: string[]): Promise<string> {
	return suite.daemon.mustDocker(["run", "--rm", image, ...command]);
}

const cachedSteps = (output: string) => output.match(/---> Using cache/g)?.length ?? 0;

describeDocker("docker build tells and makes", () => {
	test("triggers as a part of FROM", async () => {
		const output = await mustBuild([
			"FROM busybox AS a",
			"ONBUILD RUN echo fired",
			"ONBUILD ENV A=1",
			"FROM a",
			"USER 1",
		]);
		expect(output).toMatch(
			/Step 4\/5 : FROM a\n# Executing 2 build triggers\n ---> Running in \w+\nfired\n ---> Removed intermediate container \w+\n ---> \w+\nStep 5\/5 : USER 1\n/,
		);
	});

	test("steps, images, output of commands, and what it built", async () => {
		suite.context.write({ input: "data" });
		const output = await mustBuild(
			["FROM busybox", "ENV A=1", "COPY input /in/", "RUN cat /in/input; echo error >&2", 'CMD ["cat", "/in/input"]'],
			"-t",
			"told",
			"-t",
			"told:two",
		);
		const image = await suite.daemon.mustDocker(["image", "inspect", "-f", "{{.Id}}", "told:two"]);
		const short = image.slice(7, 19);
		expect(output).toMatch(/Step 1\/5 : FROM busybox\n ---> [0-9a-f]{12}\nStep 2\/5 : ENV A=1\n ---> [0-9a-f]{12}\n/);
		expect(output).toMatch(/Step 4\/5 : RUN .*\n ---> Running in [0-9a-f]{12}\n/);
		for (const line of ["data", "error", " ---> Removed intermediate container ", `Successfully built ${short}\n`])
			expect(output).toContain(line);
		expect(output).toContain("Successfully tagged told:latest\nSuccessfully tagged told:two\n");
		expect(await run("told")).toBe("data");
		expect(await suite.daemon.mustDocker(["build", "-q", suite.context.directory], CLASSIC)).toBe(image);
	});

	test("the same image from the cache, with the same intermediate ones, over a restart, too", async () => {
		suite.context.write({ input: "cached" });
		const dockerfile = ["FROM busybox", "LABEL one=1", "RUN echo 1 > /1", "COPY input /", "WORKDIR /w", "CMD echo"];
		const ids = (output: string) => [...output.matchAll(/^ ---> ([0-9a-f]{12})$/gm)].map(([, id]) => id);
		const first = await mustBuild(dockerfile);
		const again = await mustBuild(dockerfile);
		expect([cachedSteps(first), cachedSteps(again)]).toEqual([0, 5]);
		expect(ids(again)).toEqual(ids(first));
		await suite.daemon.stop();
		await suite.daemon.start();
		const later = await mustBuild(dockerfile);
		expect([cachedSteps(later), ids(later)]).toEqual([5, ids(first)]);
	});

	test("what comes after a changed file anew, and nothing when only its time has changed", async () => {
		const dockerfile = ["FROM busybox", "RUN echo before", "COPY input /", "RUN cat /input"];
		suite.context.write({ input: "one" });
		await mustBuild(dockerfile);
		await mustRun(["touch", "-d", "2020-01-01", suite.context.path("input")]);
		expect(cachedSteps(await mustBuild(dockerfile))).toBe(3);
		suite.context.write({ input: "two" });
		const output = await mustBuild(dockerfile);
		expect(cachedSteps(output)).toBe(1);
		expect(output).toContain("\ntwo");
		chmodSync(suite.context.path("input"), 0o755);
		expect(cachedSteps(await mustBuild(dockerfile))).toBe(1);
	});

	test("everything anew with --no-cache", async () => {
		const dockerfile = ["FROM busybox", "ENV B=2", "RUN cat /proc/sys/kernel/random/uuid > /uuid"];
		const uuid = async (...args: string[]) => {
			await mustBuild(dockerfile, "-t", "fresh", ...args);
			return run("fresh", "cat", "/uuid");
		};
		const first = await uuid();
		expect(await uuid()).toBe(first);
		const second = await uuid("--no-cache");
		expect(second).not.toBe(first);
		// What was built last is what the cache has.
		expect(await uuid()).toBe(second);
	});

	test("with --cache-from only when one of the images is there", async () => {
		const dockerfile = ["FROM busybox", "ENV SOURCE=1", "RUN touch /source"];
		await mustBuild(dockerfile, "-t", "source");
		expect(cachedSteps(await mustBuild(dockerfile, "--cache-from", "absent", "--cache-from", "source"))).toBe(2);
		expect(cachedSteps(await mustBuild(dockerfile, "--cache-from", "absent"))).toBe(0);
	});

	test("what goes to standard error in red", async () => {
		const output = await mustBuild(["FROM busybox", "RUN echo warning >&2"]);
		expect(output).toContain("\u001b[91mwarning\n\u001b[0m");
	});

	test("an image that was replaced dangles", async () => {
		await mustBuild(["FROM busybox", "RUN echo 1 > /version"], "-t", "moving");
		const before = await suite.daemon.mustDocker(["images", "-q", "--no-trunc", "moving"]);
		await mustBuild(["FROM busybox", "RUN echo 2 > /version"], "-t", "moving");
		const dangling = await suite.daemon.mustDocker(["images", "-q", "--no-trunc", "-f", "dangling=true"]);
		expect(dangling.split("\n")).toContain(before);
		await suite.daemon.mustDocker(["image", "prune", "-f"]);
		expect(await suite.daemon.mustDocker(["images", "-q", "-f", "dangling=true"])).toBe("");
		expect(await run("moving", "cat", "/version")).toBe("2");
	});
});

test.skipIf(dockerClient === undefined)("docker build takes its Dockerfile from elsewhere", async () => {
	suite.context.write({ "in/input": "in context", "out/Other": "FROM busybox\nCOPY input /input\nRUN cat /input\n" });
	const outside = ["build", "-f", suite.context.path("out/Other"), suite.context.path("in")];
	expect(await suite.daemon.mustDocker(outside, CLASSIC)).toContain("in context");
	const stdin = await suite.daemon.mustDocker(["build", "-"], {
		...CLASSIC,
		stdin: "FROM busybox\nRUN echo from stdin\n",
	});
	expect(stdin).toContain("from stdin");
	suite.context.write({ "in/Dockerfile.other": "FROM busybox\nRUN echo other one\n" });
	const named = ["build", "-f", suite.context.path("in/Dockerfile.other"), suite.context.path("in")];
	expect(await suite.daemon.mustDocker(named, CLASSIC)).toContain("other one");
});

describeDocker("docker build fails with", () => {
	test("the command and its exit code, finished steps cached", async () => {
		const dockerfile = ["FROM busybox", "RUN echo fine > /fine", "RUN echo said; exit 7"];
		const failed = await build(dockerfile);
		expect(failed.code).not.toBe(0);
		expect(failed.stdout).toContain("said");
		expect(failed.stderr).toContain("The command '/bin/sh -c echo said; exit 7' returned a non-zero code: 7");
		expect(cachedSteps((await build(dockerfile)).stdout)).toBe(1);
	});

	test.each([
		["a file that is not there", ["FROM busybox", "COPY nothing /"], "COPY failed: file not found in build context"],
		["a path outside of the context", ["FROM busybox", "COPY ../../../etc/hostname /"], "COPY failed"],
		["an unknown instruction", ["FROM busybox", "RNU true"], "unknown instruction: RNU"],
		[
			"stages in a circle",
			["FROM busybox AS one", "COPY --from=two / /x", "FROM busybox AS two", "COPY --from=one / /x"],
			"two",
		],
		["itself as a source", ["FROM busybox AS me", "COPY --from=me / /x"], "me"],
		["an image that is not there", ["FROM gantry.invalid/nothing"], "gantry.invalid"],
		["a user that is not there", ["FROM busybox", "USER nobody-at-all", "RUN true"], "unable to find user"],
		["a program that is not there", ["FROM busybox", 'RUN ["/no/program"]'], "returned a non-zero code: 127"],
		["an empty Dockerfile", [], "no instructions"],
	])("%s", async (_name, dockerfile, message) => {
		const { code, stderr } = await build(dockerfile);
		expect(code).not.toBe(0);
		expect(stderr).toContain(message);
	});

	test("a link that leads out of the context", async () => {
		symlinkSync("/etc/passwd", suite.context.path("escape"));
		const { code, stderr } = await build(["FROM busybox", "COPY escape /"]);
		expect(code).not.toBe(0);
		expect(stderr).toContain("file not found in build context");
	});

	test("a target that is not there, and builds one that is without the others", async () => {
		const dockerfile = ["FROM busybox AS one", "RUN echo 1", "FROM busybox AS two", "RUN false"];
		expect((await build(dockerfile, "--target", "thre")).stderr).toContain('target stage "thre" could not be found');
		expect(await mustBuild(dockerfile, "--target", "one")).toContain("Step 2/2 : RUN echo 1");
	});
});

describeDocker("docker build copies", () => {
	test("files, directories, wildcards and links by COPY's rules", async () => {
		suite.context.write({ "dir/a.txt": "a", "dir/sub/b.txt": "b", "c.md": "c", "d.md": "d" });
		symlinkSync("a.txt", suite.context.path("dir/link"));
		mkdirSync(suite.context.path("dir/empty"));
		await mustBuild(
			[
				"FROM busybox",
				"COPY dir /one",
				"COPY dir/a.txt /two/",
				"COPY dir/a.txt /three",
				"COPY *.md /four/",
				"COPY --parents dir/sub/b.txt /five/",
				"COPY dir/./sub /six",
				"COPY --chown=7:8 --chmod=u=rw,go= c.md /owned",
				"RUN ln -s /one /seven",
				"COPY d.md /seven/",
			],
			"-t",
			"copied",
		);
		const listed = await run("copied", "sh", "-c", "find /one /two /three /four /five /six | sort");
		expect(listed.split("\n")).toEqual([
			..."/five /five/dir /five/dir/sub /five/dir/sub/b.txt /four /four/c.md /four/d.md /one /one/a.txt".split(" "),
			..."/one/d.md /one/empty /one/link /one/sub /one/sub/b.txt /six /six/b.txt /three /two /two/a.txt".split(" "),
		]);
	});

	test("out of stages and images", async () => {
		await mustBuild(
			[
				"FROM busybox AS made",
				"RUN mkdir /out && echo made > /out/file && chown 5:6 /out/file",
				"FROM scratch AS held",
				"COPY --from=made /out /held",
				"FROM busybox",
				"COPY --from=held / /all/",
				"COPY --from=0 /out/file /",
				"COPY --from=busybox /bin/busybox /b/",
			],
			"-t",
			"staged",
		);
		expect(
			await run("staged", "sh", "-c", "cat /all/held/file && stat -c %u:%g /file && ls /all && /b/busybox echo bb"),
		).toBe("made\n5:6\nheld\nbb");
	});

	test("what the .dockerignore leaves", async () => {
		suite.context.write({
			".dockerignore": "**/*.log\n!keep.log\nsecret",
			"a.log": "",
			"keep.log": "",
			"x/b.log": "",
			"x/c": "",
			secret: "",
		});
		await mustBuild(["FROM busybox", "COPY . /all"], "-t", "ignored");
		expect(await run("ignored", "sh", "-c", "cd /all && find . -type f | sort")).toBe(
			"./.dockerignore\n./Dockerfile\n./keep.log\n./x/c",
		);
	});

	test("archives by ADD, unpacked unless they are none", async () => {
		suite.context.write({ "tree/f": "archived", "not.tar.gz": "plain" });
		await mustRun(["tar", "-C", suite.context.directory, "-czf", suite.context.path("tree.tgz"), "tree"]);
		await mustBuild(["FROM busybox", "ADD tree.tgz /u/", "ADD not.tar.gz /u/", "COPY tree.tgz /u/"], "-t", "added");
		expect(await run("added", "sh", "-c", "cat /u/tree/f /u/not.tar.gz; ls /u")).toBe(
			"archivedplainnot.tar.gz\ntree\ntree.tgz",
		);
	});
});

describeDocker("docker build runs commands", () => {
	test("as the image's user, in its directory, with its variables, and leaves no mount points behind", async () => {
		await mustBuild(
			[
				"FROM busybox",
				"ARG GREETING=hello",
				"ENV NAME=world",
				"RUN echo 'me:x:9:9::/home/me:/bin/sh' >> /etc/passwd",
				"USER me",
				"WORKDIR /home/me",
				"RUN echo $GREETING $NAME $(id -u) $(pwd) > said",
				"FROM scratch",
				"COPY --from=0 /home/me/said /said",
				"COPY --from=0 /bin/busybox /bin/busybox",
			],
			"-t",
			"ran",
			"--build-arg",
			"GREETING=hi",
		);
		expect(await run("ran", "/bin/busybox", "cat", "/said")).toBe("hi world 9 /home/me");
		const files = await mustRun([
			"sh",
			"-c",
			'docker -H "$0" create --name bare ran x >/dev/null && docker -H "$0" save ran | tar -xO --wildcards "*/layer.tar" "blobs/sha256/*" 2>/dev/null | tr -d "\\0" | grep -c dockerenv; docker -H "$0" rm bare >/dev/null',
			suite.daemon.host,
		]).catch(() => "0");
		expect(files).toContain("0");
	});

	test("with the network that was asked for", async () => {
		const dockerfile = ["FROM busybox", "RUN ip -o link | wc -l", "RUN ip route; cat /etc/hosts"];
		const alone = await mustBuild(dockerfile, "--network", "none");
		expect(alone).toMatch(/\n1\n/);
		const bridged = await mustBuild(dockerfile, "--add-host", "there:10.1.2.3");
		expect(bridged).toContain("default via");
		expect(bridged).toContain("10.1.2.3\tthere");
	});

	test("within limits", async () => {
		const output = await mustBuild(
			["FROM busybox", "RUN ulimit -n; df -k /dev/shm | tail -1"],
			"--ulimit",
			"nofile=77:88",
			"--shm-size",
			"3m",
			"--memory",
			"64m",
		);
		expect(output).toContain("\n77\n");
		expect(output).toMatch(/\s3072\s/);
	});

	test("with caches that stay, secrets refused, and temporary mounts", async () => {
		const dockerfile = [
			"FROM busybox",
			"ARG ROUND",
			"RUN --mount=type=cache,target=/kept echo $ROUND >> /kept/log && cat /kept/log | tr '\\n' ' '",
			"RUN --mount=type=tmpfs,target=/tmpfs --mount=type=bind,source=Dockerfile,target=/d test -s /d && touch /tmpfs/x",
			"RUN ! test -e /kept && ! test -e /tmpfs && ! test -e /d",
		];
		expect(await mustBuild(dockerfile, "--build-arg", "ROUND=1")).toContain("\n1 ");
		expect(await mustBuild(dockerfile, "--build-arg", "ROUND=2")).toContain("\n1 2 ");
		const secret = await build(["FROM busybox", "RUN --mount=type=secret,id=s,required=true true"]);
		expect(secret.stderr).toContain("secret s: not found");
	});

	test("and stops them at once when the client goes away, with nothing left", async () => {
		const before = await takeSnapshot(suite.daemon.isOurs);
		const dockerfile = ["FROM busybox", "RUN echo begun; sleep 4242"];
		suite.context.write({ Dockerfile: dockerfile });
		const client = Bun.spawn(["docker", "-H", suite.daemon.host, "build", suite.context.directory], {
			env: { ...process.env, DOCKER_BUILDKIT: "0" },
			stdout: "ignore",
			stderr: "ignore",
		});
		const sleeps = async () => (await mustRun(["ps", "-eo", "args"])).split("\n").includes("sleep 4242");
		await waitFor("the step to run", sleeps);
		client.kill("SIGKILL");
		await client.exited;
		await waitFor("the step to end", async () => !(await sleeps()));
		await mustBuild(["FROM busybox"]);
		await waitFor("the run to be cleaned up", async () => (await suite.daemon.mustDocker(["ps", "-aq"])) === "");
		await expectNoLeaks(before, {
			isOurs: (entry) => suite.daemon.isOurs(entry) && !/snapshots\/(layers|mountpoints)|netns|bld|veth/.test(entry),
			timeoutMs: 20_000,
		});
	});
});

describe("the build cache", () => {
	test("is counted by system df, and pruned", async () => {
		await mustBuild(["FROM busybox", "RUN head -c 1000000 /dev/zero > /big"], "-t", "pruned");
		const usage = async () => {
			const response = await suite.daemon.api("GET", "/v1.43/system/df?type=build-cache");
			return ((await response.json()) as { BuildCache: { Size: number; Shared: boolean; Type: string }[] }).BuildCache;
		};
		expect((await usage()).some(({ Size, Shared }) => Size === 1_000_000 && Shared)).toBe(true);
		await suite.daemon.mustDocker(["rmi", "pruned"]);
		expect((await usage()).some(({ Size, Shared }) => Size === 1_000_000 && !Shared)).toBe(true);
		const pruned = (await (await suite.daemon.api("POST", "/v1.43/build/prune?all=1")).json()) as {
			CachesDeleted: string[];
			SpaceReclaimed: number;
		};
		expect(pruned.CachesDeleted.length).toBeGreaterThan(0);
		expect(pruned.SpaceReclaimed).toBeGreaterThanOrEqual(1_000_000);
		expect(await usage()).toEqual([]);
		const unknown = await suite.daemon.api("POST", `/v1.43/build/prune?filters=${encodeURIComponent('{"x":["y"]}')}`);
		expect(unknown.status).toBe(400);
	});
});
