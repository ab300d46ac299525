/** What `gantry build` hands over, shows and leaves behind. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";

const suite = new BuildSuite();

const { build, mustBuild } = suite;

/** Whether a process with that argument runs; every test has one of its own. */
async function isRunning(argument: string): Promise<boolean> {
	return (await mustRun(["ps", "-eo", "args"])).split("\n").some((line) => line === `sleep ${argument}`);
}

describe("gantry build hands over", () => {
	test("arguments, labels, tags, the target, and tells the image's ID", async () => {
		const iidFile = suite.context.path("iid");
		const metadataFile = suite.context.path("metadata.json");
		const dockerfile = [
			"FROM busybox AS first",
			"ARG WHO=nobody",
			"ARG OTHER",
			"RUN echo hello $WHO $OTHER > /hello",
			"FROM busybox",
			"RUN false",
		];
		suite.context.write({ Dockerfile: dockerfile });
		const id = await suite.daemon.mustGantry(
			["build", "-q", "--build-arg", "WHO=you", "--build-arg", "OTHER", "--label", "a=b", "--target", "first"].concat([
				"-t",
				"one",
				"-t",
				"two:2",
				"--iidfile",
				iidFile,
				"--metadata-file",
				metadataFile,
				suite.context.directory,
			]),
			{ env: { OTHER: "there" } },
		);
		expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
		expect(readFileSync(iidFile, "utf8")).toBe(id);
		expect(JSON.parse(readFileSync(metadataFile, "utf8"))).toMatchObject({ "containerimage.config.digest": id });
		const format = "{{.Id}} {{.Config.Labels.a}}";
		for (const name of ["one", "two:2"])
			expect(await suite.daemon.mustGantry(["image", "inspect", "-f", format, name])).toBe(`${id} b`);
		expect(await suite.daemon.mustGantry(["run", "--rm", "one", "cat", "/hello"])).toBe("hello you there");
	});

	test("secrets from files and variables, and leaves none in the image", async () => {
		suite.context.write({ token: "from a file" });
		const dockerfile = [
			"FROM busybox",
			"RUN --mount=type=secret,id=token cat /run/secrets/token; echo",
			"RUN --mount=type=secret,id=word,env=WORD echo $WORD",
			'RUN --mount=type=secret,src=a/token [ "$(cat /run/secrets/token)" = "from a file" ]',
		];
		const token = suite.context.path("token");
		const secrets = [`id=token,src=${token}`, `id=a/token,src=${token}`, "id=word,env=SECRET_WORD"];
		const flags = secrets.flatMap((secret) => ["--secret", secret]);
		suite.context.write({ Dockerfile: dockerfile });
		const { stderr } = await suite.daemon.gantry(
			["build", "--progress=plain", "-t", "secret", ...flags, suite.context.directory],
			{
				env: { SECRET_WORD: "from a variable" },
			},
		);
		expect(stderr).toMatch(/#\d+ \d+\.\d{3} from a file/);
		expect(stderr).toMatch(/#\d+ \d+\.\d{3} from a variable/);
		const files = await suite.daemon.mustGantry([
			"run",
			"--rm",
			"secret",
			"sh",
			"-c",
			"ls -A /run/secrets 2>/dev/null; true",
		]);
		expect(files).toBe("");
	});

	test("proxies of config.json, as arguments that leave no trace", async () => {
		const config = suite.context.path("config");
		suite.context.write({
			"config/config.json": JSON.stringify({ proxies: { default: { httpProxy: "http://proxy:1" } } }),
		});
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN echo proxy is $http_proxy"] });
		const { stderr } = await suite.daemon.gantry(
			["build", "--progress=plain", "-t", "proxied", suite.context.directory],
			{
				env: { DOCKER_CONFIG: config },
			},
		);
		expect(stderr).toContain("proxy is http://proxy:1");
		expect(await suite.daemon.mustGantry(["image", "inspect", "-f", "{{.Config.Env}}", "proxied"])).not.toContain(
			"proxy",
		);
	});
});

describe("gantry build shows", () => {
	test("steps one after the other where nobody sits before a terminal", async () => {
		const shown = await mustBuild(
			["FROM busybox", "RUN echo one; echo two >&2", "RUN true"],
			"--no-cache",
			"-t",
			"plain",
		);
		expect(shown).toMatch(/^#1 \[internal\] load build definition from Dockerfile\n/);
		expect(shown).toMatch(
			/#(\d+) \[2\/3\] RUN echo one; echo two >&2\n#\1 \d\.\d{3} one\n#\1 \d\.\d{3} two\n#\1 DONE \d\.\ds\n/,
		);
		expect(shown).toMatch(/naming to docker\.io\/library\/plain/);
		const again = await mustBuild(["FROM busybox", "RUN echo one; echo two >&2", "RUN true"], "-t", "plain");
		expect(again.match(/CACHED/g)?.length).toBeGreaterThanOrEqual(2);
	});

	test("steps when what they read is there, counted as BuildKit counts them", async () => {
		const shown = await mustBuild(
			["FROM busybox AS a", "RUN sleep 0.1", "FROM a AS b", "RUN true", "FROM scratch", "COPY --from=b /bin/sh /sh"],
			"--no-cache",
		);
		const steps = [...shown.matchAll(/^#\d+ (\[[ab\d stage/-]+\] \w+)/gm)].map(([, step]) => step);
		expect(steps).toEqual(["[a 1/2] FROM", "[a 2/2] RUN", "[b 1/1] RUN", "[stage-2 1/1] COPY"]);
	});

	test("what the linter and unused arguments have to say, at the end", async () => {
		const shown = await mustBuild(["FROM busybox as x", "CMD true"], "--build-arg", "NOBODY=1", "-t", "warned");
		expect(shown).toMatch(
			/\n 2 warnings found:\n - FromAsCasing: .* \(line 1\)\n - JSONArgsRecommended: .* \(line 2\)\n/,
		);
		expect(shown).toContain("[Warning] One or more build-args [NOBODY] were not consumed\n");
	});

	test("BuildKit's status as JSON", async () => {
		const shown = await mustBuild(["FROM busybox", "RUN echo some output"], "--no-cache", "--progress=rawjson");
		const lines = shown
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line));
		const names = lines.flatMap(({ vertexes = [] }) => vertexes.map(({ name }: { name: string }) => name));
		expect(names).toContain("[2/2] RUN echo some output");
		const output = lines.flatMap(({ logs = [] }) => logs.map(({ data }: { data: string }) => atob(data))).join("");
		expect(output).toContain("some output\n");
	});

	test("a view that moves on a terminal, and stays within it", async () => {
		suite.context.write({
			Dockerfile: [
				"FROM busybox AS a",
				"RUN for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; sleep 1",
				"FROM busybox AS b",
				"RUN echo beside; sleep 1; touch /b",
				"FROM a",
				"COPY --from=b /b /",
			],
		});
		await using terminal = suite.daemon.terminal("gantry", ["build", "--no-cache", suite.context.directory], {
			rows: 12,
			columns: 60,
		});
		await terminal.expect(/=> => # line 9/);
		await terminal.expect(/=> => # beside/);
		terminal.resize(40, 8);
		expect(await terminal.exited).toBe(0);
		const last = terminal.output.slice(terminal.output.lastIndexOf("[+] Building"));
		expect(last).toMatch(/^\[\+\] Building \d\.\ds \((\d+)\/\1\) FINISHED/);
		expect(terminal.output.trimEnd()).toEndWith("\x1b[?25h");
	});

	test("the image's ID alone with -q, also where a step writes", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN echo noise"] });
		const { stdout, stderr } = await suite.daemon.gantry(["build", "-q", "--no-cache", suite.context.directory]);
		expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
		expect(stderr).toBe("");
	});
});

describe("gantry build fails", () => {
	test("with the step's output, its lines and its exit code", async () => {
		const dockerfile = ["FROM busybox", "RUN true", "RUN echo last words \\", "  && exit 42", "RUN echo never"];
		const { code, stdout, stderr } = await build(dockerfile);
		expect([code, stdout]).toEqual([1, ""]);
		expect(stderr).toContain(
			["Dockerfile:3", "-".repeat(20), "   1 |     FROM busybox", "   2 |     RUN true"].join("\n"),
		);
		expect(stderr).toContain(["   3 | >>> RUN echo last words \\", "   4 | >>>   && exit 42"].join("\n"));
		expect(stderr).toMatch(/------\n > \[3\/4\] RUN echo last words +&& exit 42:\n\d\.\d{3} last words\n------\n/);
		expect(stderr).toMatch(/\nERROR: failed to build: .*exit code: 42\n$/);
		const again = await build(dockerfile);
		expect(again.stderr).toMatch(/#(\d+) \[2\/4\] RUN true\n#\1 CACHED/);
	});

	test("with place and suggestion for a Dockerfile that is wrong", async () => {
		const { code, stderr } = await build(["FROM busybox", "RNU true"]);
		expect(code).toBe(1);
		expect(stderr).toContain("Dockerfile:2:1: unknown instruction: RNU (did you mean RUN?)");
	});

	for (const [what, dockerfile, args, message] of [
		[
			"a secret that nobody gave",
			["FROM busybox", "RUN --mount=type=secret,id=x,required true"],
			[],
			/secret x|x: not found/,
		],
		[
			"a secret's file that is not there",
			["FROM busybox"],
			["--secret", "id=x,src=/nowhere"],
			/failed to read secret x from \/nowhere: no such file or directory/,
		],
		["a Dockerfile that is a directory", ["FROM busybox"], ["-f", "/etc"], /open \/etc: is a directory/],
		[
			"a command with control characters, which are not shown",
			["FROM busybox", "RUN false \x1b[2J\x07"],
			[],
			/^[^\x1b\x07]*RUN false[^\x1b\x07]*$/,
		],
		["a stage that there is not", ["FROM busybox"], ["--target", "tset"], /tset/],
		["a file that the context lacks", ["FROM busybox", "COPY nothing /"], [], /nothing/],
		[
			"an argument that is no option",
			["FROM busybox"],
			["--build-args", "x"],
			/unknown flag: --build-args \(did you mean --build-arg\?\)/,
		],
	] as const)
		test(`for ${what}`, async () => {
			const { code, stderr } = await build(dockerfile, ...args);
			expect(code).not.toBe(0);
			expect(stderr).toMatch(message);
		});
});

describe("a build ends", () => {
	test("with its steps when it is interrupted, and the terminal is clean", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN echo going; sleep 4711"] });
		await using terminal = suite.daemon.terminal("gantry", ["build", "--no-cache", suite.context.directory]);
		await terminal.expect(/# going/);
		expect(await isRunning("4711")).toBe(true);
		terminal.type("\x03");
		expect(await terminal.exited).toBe(130);
		expect(await isRunning("4711")).toBe(false);
		expect(terminal.output).toContain("CANCELED");
		expect(terminal.output).toContain("\x1b[?25h");
		expect(terminal.output.trimEnd()).toEndWith("ERROR: failed to build: canceled");
	});

	test("with its steps when its client is killed", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN sleep 4712"] });
		const child = Bun.spawn(
			[process.execPath, `${import.meta.dir}/../../../src/main.ts`, "-H", suite.daemon.host].concat([
				"build",
				"--no-cache",
				suite.context.directory,
			]),
			{
				stdin: "ignore",
				stdout: "ignore",
				stderr: "ignore",
			},
		);
		await waitFor("the step to run", () => isRunning("4712"));
		child.kill("SIGKILL");
		await child.exited;
		await waitFor("the step to end", async () => !(await isRunning("4712")));
	});
});

test("a daemon that is killed ends the build with a word about it, and its steps with the next daemon", async () => {
	suite.context.write({ Dockerfile: ["FROM busybox", "RUN sleep 4713"] });
	const ended = suite.build(undefined);
	await waitFor("the step to run", () => isRunning("4713"));
	await suite.daemon.kill();
	const { code, stderr } = await ended;
	expect([code, stderr.trimEnd().split("\n").at(-1)]).toEqual([
		1,
		"ERROR: failed to build: the daemon has ended the connection; its log may say why",
	]);
	await suite.daemon.start();
	expect(await isRunning("4713")).toBe(false);
});

describe("without a daemon, gantry build", () => {
	const nowhere = { env: { DOCKER_HOST: "unix:///nowhere/socket" } };

	test("checks a Dockerfile", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox as x", "CMD true"] });
		const { code, stdout } = await suite.daemon.gantry(["build", "--check", suite.context.directory], nowhere);
		expect(code).toBe(1);
		expect(stdout).toStartWith("Check complete, 2 warnings have been found!\n\nWARNING: FromAsCasing - https://");
		expect(stdout).toContain("   2 | >>> CMD true");
		suite.context.write({ Dockerfile: ["FROM busybox", 'CMD ["true"]'] });
		const clean = await suite.daemon.gantry(["build", "--check", suite.context.directory], nowhere);
		expect([clean.code, clean.stdout]).toEqual([0, "Check complete, no warnings found.\n"]);
	});

	test("lists its stages and what they take", async () => {
		suite.context.write({
			Dockerfile: [
				"# base is what both stand on",
				"FROM busybox AS base",
				"# VERSION of the tool",
				"ARG VERSION=1",
				"FROM base AS tool",
				"ARG VERSION",
				"RUN --mount=type=secret,id=token,required true",
			],
		});
		const targets = await suite.daemon.gantry(["build", "--call", "targets", suite.context.directory], nowhere);
		expect(targets.stdout).toMatch(/^TARGET +DESCRIPTION\nbase +\S.*\ntool \(default\) +\n$/);
		const { stdout } = await suite.daemon.gantry(
			["build", "--call", "outline,format=json", suite.context.directory],
			nowhere,
		);
		expect(JSON.parse(stdout)).toMatchObject({ name: "tool", secrets: [{ id: "token", required: true }] });
		const wrong = await suite.daemon.gantry(["build", "--call", "dance", suite.context.directory], nowhere);
		expect([wrong.code, wrong.stderr]).toEqual([1, 'invalid call value "dance": build, check, outline or targets\n']);
	});
});

test("gantry build says that another engine does not know it, and where there is no daemon", async () => {
	suite.context.write({ Dockerfile: ["FROM busybox"] });
	const { code, stderr } = await suite.daemon.gantry(["build", suite.context.directory], {
		env: { DOCKER_HOST: "unix:///nowhere/socket" },
	});
	expect(code).toBe(1);
	expect(stderr).toContain("Start it with 'gantryd'");
	expect(existsSync("/nowhere")).toBe(false);
});
