/** Docker's own client of BuildKit's API against the daemon. */
import { beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { buildx, installPlugins } from "../../support/buildx.ts";
import { buildxPlugin, composePlugin, withoutPlugin } from "../../support/client-plugins.ts";
import { type CommandOptions, mustRun, runCommand, waitFor } from "../../support/commands.ts";
import { dockerClient } from "../../support/daemon.ts";
import { startRegistry } from "../../support/registry-server.ts";

const isThere = buildxPlugin !== undefined;
const suite = new BuildSuite({ registry: true });
const title = (name: string) => `${name}${isThere ? "" : withoutPlugin("docker-buildx")}`;

beforeAll(() => installPlugins(suite.daemon));

/** All that a build says; the context is the test's unless the arguments name one. */
async function build(args: readonly string[], options: CommandOptions = {}): Promise<string> {
	const { code, stdout, stderr } = await buildx(suite.daemon, ["build", ...args], {
		cwd: suite.context.directory,
		...options,
	});
	if (code !== 0) throw new Error(stderr);
	return `${stdout}${stderr}`;
}

async function failure(args: readonly string[]): Promise<string> {
	const { code, stderr } = await buildx(suite.daemon, ["build", ...args], { cwd: suite.context.directory });
	if (code === 0) throw new Error(`The build did not fail:\n${stderr}`);
	return stderr;
}

describe.skipIf(!isThere)(title("docker buildx build"), () => {
	beforeEach(() => {
		suite.context.write({
			Dockerfile: [
				"FROM busybox AS base",
				"ARG WHO=nobody",
				"RUN echo hello $WHO > /hello",
				"FROM base AS last",
				"COPY . /ctx/",
				"RUN cat /hello; ulimit -n; grep extra /etc/hosts; df /dev/shm | tail -1",
			],
			one: "one",
			"sub/two": "two",
			"ignored/file": "x",
			".dockerignore": ["ignored"],
		});
		symlinkSync("sub/two", suite.context.path("link"));
	});

	test("names and labels an image, with the options of its steps", async () => {
		const said = await build([
			...["-t", "bx:1", "-t", "bx:two", "--build-arg", "WHO=me", "--label", "a=b", "--add-host", "extra:10.1.2.3"],
			...["--ulimit", "nofile=500:600", "--shm-size", "32m", "--iidfile", "iid", "--metadata-file", "md", "."],
		]);
		expect(said).toMatch(/#\d+ \[last 2\/2\] RUN cat/);
		for (const line of [" hello me", " 500", " 10.1.2.3\textra", " 32768 "]) expect(said).toContain(line);
		const id = readFileSync(suite.context.path("iid"), "utf8");
		const format = "{{.Id}} {{.Config.Labels.a}} {{.RepoTags}}";
		expect(await suite.daemon.mustDocker(["inspect", "-f", format, "bx:1"])).toBe(`${id} b [bx:1 bx:two]`);
		expect(await suite.run("bx:1", "cd /ctx; find . | sort; cat link")).toBe(
			[".", "./.dockerignore", "./Dockerfile", "./link", "./one", "./sub", "./sub/two", "two"].join("\n"),
		);
		const metadata = JSON.parse(readFileSync(suite.context.path("md"), "utf8"));
		expect(metadata["containerimage.config.digest"]).toBe(id);
		expect(metadata["image.name"]).toBe("docker.io/library/bx:1,docker.io/library/bx:two");
	});

	test("takes steps from the cache, sends only what has changed, and runs anew what is asked for", async () => {
		const first = (await build(["-q", "."])).trim();
		const again = await build(["."]);
		expect(again.match(/^#\d+ CACHED$/gm)).toHaveLength(4);
		const transferred = (said: string) => Number(/transferring context: (\d+)B/.exec(said)?.[1]);
		expect(transferred(again)).toBeGreaterThan(0);
		expect(again).toContain(first);
		writeFileSync(suite.context.path("one"), "changed");
		const changed = await build(["."]);
		// The list of files is as long as before; the file's seven bytes come in packets.
		expect(transferred(changed) - transferred(again)).toBeWithin(7, 30);
		expect(changed).not.toContain(first);
		expect((await build(["--no-cache-filter", "last", "."])).match(/^#\d+ CACHED$/gm)).toHaveLength(2);
		expect((await build(["--no-cache", "."])).match(/^#\d+ CACHED$/gm)).toHaveLength(1);
	});

	test("sees a file that a directory, a link and a larger file take the place of", async () => {
		suite.context.write({ Dockerfile: ["FROM scratch", "COPY . /"], big: "a".repeat(3 << 20), other: "x" });
		await build(["-o", "first", "."]);
		suite.context.write({ big: "b".repeat(5 << 20), "first/x": "" });
		await runCommand(["rm", "-rf", suite.context.path("one"), suite.context.path("sub")]);
		suite.context.write({ "one/deep/file": "new", sub: "a file" });
		suite.context.write({ ".dockerignore": ["first", "second"] });
		await build(["-o", "second", "."]);
		expect(readFileSync(suite.context.path("second/one/deep/file"), "utf8")).toBe("new");
		expect(readFileSync(suite.context.path("second/sub"), "utf8")).toBe("a file");
		expect(readFileSync(suite.context.path("second/big"), "utf8")).toBe("b".repeat(5 << 20));
		expect(existsSync(suite.context.path("second/first"))).toBe(false);
	});

	for (const [what, args, stdin] of [
		["a Dockerfile on standard input", ["-f", "-", "."], "FROM scratch\nCOPY one /stdin\n"],
		["a Dockerfile without a context", ["-"], "FROM busybox\nRUN true\n"],
		["a Dockerfile elsewhere", ["-f", "sub/D", "."], undefined],
	] as const)
		test(`reads ${what}`, async () => {
			suite.context.write({ "sub/D": ["FROM scratch", "COPY one /"] });
			const id = await build(["-q", ...args], stdin === undefined ? {} : { stdin });
			expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/);
		});

	test("reads an archive on standard input", async () => {
		await runCommand(["tar", "-czf", "c.tgz", "Dockerfile", "one"], { cwd: suite.context.directory });
		const stdin = readFileSync(suite.context.path("c.tgz"));
		await build(["-t", "bx:tar", "-"], { stdin });
		expect(await suite.run("bx:tar", "ls /ctx")).toBe("Dockerfile\none");
	});

	test("has other contexts: a directory, an image", async () => {
		suite.context.write({
			"other/file": "of the other",
			"other/secret": "not sent",
			"other/.dockerignore": ["secret"],
			Dockerfile: ["FROM busybox", "COPY --from=o . /o/", "FROM b2", "COPY --from=0 /o/ /o/"],
		});
		await build(["-t", "bx:ctx", "--build-context", "o=other", "--build-context", "b2=docker-image://busybox", "."]);
		expect(await suite.run("bx:ctx", "cd /o; ls; cat file")).toBe("file\nof the other");
	});

	test("asks the client for secrets, and says which one is missing", async () => {
		suite.context.write({
			secret: "of a file",
			Dockerfile: [
				"FROM busybox",
				"RUN --mount=type=secret,id=e,env=E --mount=type=secret,id=f echo $E and $(cat /run/secrets/f)",
			],
		});
		const secrets = ["--secret", "id=e,env=FROM_ENV", "--secret", "id=f,src=secret"];
		expect(await build([...secrets, "."], { env: { FROM_ENV: "of a variable" } })).toContain(
			"of a variable and of a file",
		);
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN --mount=type=secret,id=none,required=true true"] });
		expect(await failure(["."])).toContain("secret none: not found");
	});

	test("lends the client's agent to a step", async () => {
		const libraries = [...(await mustRun(["ldd", "/usr/bin/ssh-add"])).matchAll(/(\/\S+) \(0x/g)].map(
			([, path = ""]) => path,
		);
		await mustRun(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lent key", "-f", suite.context.path("key")]);
		const copies = ["/usr/bin/ssh-add", ...libraries].map((path) => `COPY --from=host ${path} ${path}`);
		suite.context.write({ Dockerfile: ["FROM busybox", ...copies, "RUN --mount=type=ssh,id=mine ssh-add -l"] });
		const key = suite.context.path("key");
		const said = await build(["--build-context", "host=/", "--ssh", `mine=${key}`, "."]);
		const [, fingerprint = ""] = (await mustRun(["ssh-keygen", "-lf", key])).split(" ");
		expect(fingerprint).toStartWith("SHA256:");
		expect(said).toContain(` 256 ${fingerprint} `);
	});

	test("logs in to registries by the client's configuration", async () => {
		const users = suite.context.path("users");
		writeFileSync(users, `joe:${await Bun.password.hash("sesame", { algorithm: "bcrypt", cost: 4 })}\n`);
		await using registry = await startRegistry(["--htpasswd", users]);
		await build(["-q", "-t", `${registry.host}/private:1`, "--target", "base", "."]);
		expect(await failure(["--push", "-t", `${registry.host}/private:1`, "."])).toContain("no basic auth credentials");
		const config = suite.context.path("config");
		mkdirSync(config);
		const auth = Buffer.from("joe:sesame").toString("base64");
		writeFileSync(`${config}/config.json`, JSON.stringify({ auths: { [registry.host]: { auth } } }));
		const env = { DOCKER_CONFIG: config };
		await build(["--push", "-t", `${registry.host}/private:1`, "--target", "base", "."], { env });
		await suite.daemon.mustDocker(["rmi", `${registry.host}/private:1`]);
		suite.context.write({ Dockerfile: [`FROM ${registry.host}/private:1`, "RUN cat /hello"] });
		expect(await build([".", "--pull"], { env })).toContain("hello nobody");
	});

	test("writes files, over what is there", async () => {
		suite.context.write({ Dockerfile: ["FROM scratch", "COPY --chmod=750 sub /sub", "COPY link one /"] });
		await build(["-o", "new/out", "."]);
		const out = suite.context.path("new/out");
		writeFileSync(`${out}/one`, "changed");
		writeFileSync(`${out}/mine`, "kept");
		await build(["-o", "new/out", "."]);
		expect(readdirSync(out).sort()).toEqual(["link", "mine", "one", "sub"]);
		expect(readFileSync(`${out}/one`, "utf8")).toBe("one");
		expect(lstatSync(`${out}/sub`).mode & 0o7777).toBe(0o750);
	});

	for (const [type, entry] of [
		["tar", "ctx/one"],
		["oci", "oci-layout"],
		["docker", "manifest.json"],
	] as const)
		test(`writes an archive of type ${type}`, async () => {
			await build(["-o", `type=${type},dest=out.tar`, "."]);
			const { stdout } = await runCommand(["tar", "-tf", suite.context.path("out.tar")]);
			expect(stdout.split("\n")).toContain(entry);
		});

	test("pushes, with and without statements, and for several platforms", async () => {
		const { host } = suite.registry;
		await build(["--push", "-t", `${host}/bx/plain:1`, "--metadata-file", "md", "."]);
		const { "containerimage.digest": digest } = JSON.parse(readFileSync(suite.context.path("md"), "utf8"));
		const plain = await fetch(`${suite.registry.url}/v2/bx/plain/manifests/1`, { headers: ACCEPT });
		expect(plain.headers.get("docker-content-digest")).toBe(digest);
		await build(["--push", "-t", `${host}/bx/stated:1`, "--provenance=mode=max", "--sbom=true", "."]);
		const stated = await fetch(`${suite.registry.url}/v2/bx/stated/manifests/1`, { headers: ACCEPT });
		expect(((await stated.json()) as { manifests: unknown[] }).manifests).toHaveLength(2);
		suite.context.write({ Dockerfile: ["FROM scratch", "ARG TARGETARCH", "COPY one /$TARGETARCH"] });
		await build(["--push", "-t", `${host}/bx/multi:1`, "--platform", "linux/amd64,linux/arm64", "."]);
		const multi = await fetch(`${suite.registry.url}/v2/bx/multi/manifests/1`, { headers: ACCEPT });
		const { manifests } = (await multi.json()) as { manifests: { platform: { architecture: string } }[] };
		expect(manifests.map(({ platform }) => platform.architecture).sort()).toEqual(["amd64", "arm64"]);
	});

	test("takes its cache from a registry", async () => {
		const ref = `${suite.registry.host}/bx/cache`;
		await build(["--cache-to", `type=registry,ref=${ref},mode=max`, "."]);
		await buildx(suite.daemon, ["prune", "-af"]);
		const said = await build(["--cache-from", `type=registry,ref=${ref}`, "."]);
		expect(said).toMatch(/\[base 2\/2\] RUN .*\n#\d+ CACHED/);
	});

	test("has OCI layouts in directories: caches, results, contexts", async () => {
		suite.context.write({
			Dockerfile: [
				...["FROM busybox AS one", "RUN echo one > /one"],
				...["FROM busybox", "COPY --from=one /one /", "RUN echo two > /two"],
			],
			Dockerfile2: ["FROM below", "RUN cat /one /two"],
		});
		await build(["--cache-to", "type=local,dest=cache,mode=max", "."]);
		await buildx(suite.daemon, ["prune", "-af"]);
		const cached = await build(["--cache-from", "type=local,src=cache", "-o", "type=oci,dest=layout,tar=false", "."]);
		expect(cached.match(/^#\d+ CACHED$/gm)).toHaveLength(5);
		expect(readdirSync(suite.context.path("layout")).sort()).toContain("index.json");
		const said = await build(["-f", "Dockerfile2", "--build-context", "below=oci-layout://layout", "."]);
		expect(said).toMatch(/ one\n#\d+ [\d.]+ two\n/);
		// What is there already is not sent again.
		await build(["-o", "type=oci,dest=layout,tar=false", "."]);
	});

	test("shows the Dockerfile's line of a step that fails, and what it has said", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "# a comment", "RUN echo before; exit 3", "RUN true"] });
		const said = await failure(["."]);
		expect(said).toMatch(/ > \[2\/3\] RUN echo before; exit 3:\n\d\.\d{3} before\n/);
		expect(said).toContain("Dockerfile:3\n");
		expect(said).toContain("   3 | >>> RUN echo before; exit 3\n");
		expect(said).toContain("did not complete successfully: exit code: 3");
	});

	for (const [what, lines, expected] of [
		[
			"an instruction that is none",
			["FROM busybox", "RNU x"],
			"dockerfile parse error on line 2: unknown instruction: RNU",
		],
		["a stage that is missing", ["FROM busybox", "COPY --from=nobody /a /b"], "Dockerfile:2"],
		["a file that is missing", ["FROM scratch", "COPY nothing /"], 'failed to solve: "/nothing": not found'],
		["an empty file", [], "cannot be empty"],
	] as const)
		test(`says what is wrong with ${what}`, async () => {
			suite.context.write({ Dockerfile: lines.length === 0 ? "" : lines });
			expect(await failure(["."])).toContain(expected);
		});

	test("shows warnings of the checks", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "MAINTAINER me"] });
		const said = await build(["."]);
		expect(said).toContain("1 warning found");
		expect(said).toMatch(/MaintainerDeprecated: .* \(line 2\)/);
	});

	test("answers questions about the Dockerfile", async () => {
		expect(await build(["--call=targets", "."])).toMatch(/^base *\nlast \(default\)/m);
		expect(await build(["--call=outline", "."])).toMatch(/^WHO +nobody/m);
		expect(await build(["--call=subrequests.describe", "."])).toMatch(/^lint +1\.0\.0 +Check/m);
		expect(await build(["--check", "."])).toContain("Check complete, no warnings found.");
		suite.context.write({ Dockerfile: ["FROM busybox", "MAINTAINER me"] });
		expect((await buildx(suite.daemon, ["build", "--check", suite.context.directory])).code).toBe(1);
	});

	test("lists workers and the cache, and prunes it", async () => {
		await build(["-q", "."]);
		const mustBuildx = async (...args: string[]) => (await buildx(suite.daemon, args)).stdout;
		expect(await mustBuildx("ls")).toMatch(/default +running +v\d/);
		expect(await mustBuildx("inspect")).toContain("linux/");
		const before = await mustBuildx("du", "--filter", "type=regular");
		expect(before).toMatch(/^\w{25} +(true|false) /m);
		expect(await mustBuildx("prune", "-af", "--filter", "type=source.local")).toMatch(/Total:\s+[1-9]/);
		expect(await mustBuildx("prune", "-af")).toMatch(/Total:/);
		expect(await mustBuildx("du")).toMatch(/Total:\s+0B/);
	});

	test("refuses what it cannot do, and says so", async () => {
		const { code, stderr } = await buildx(suite.daemon, ["history", "ls"]);
		expect([code, stderr]).toEqual([1, expect.stringContaining("Unimplemented")]);
		suite.context.write({ Dockerfile: ["# syntax=example.org/other", "FROM busybox"] });
		expect(await failure(["."])).toContain("only docker/dockerfile is built in");
	});
});

const ACCEPT = {
	accept: [
		"application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.docker.distribution.manifest.v2+json",
		"application/vnd.oci.image.manifest.v1+json",
	].join(","),
};

describe.skipIf(!isThere)(title("docker buildx bake"), () => {
	test("builds targets that stand on others, and leaves no image of theirs", async () => {
		suite.context.write({
			f: "file",
			"docker-bake.json": JSON.stringify({
				group: { default: { targets: ["app"] } },
				target: {
					base: { "dockerfile-inline": "FROM busybox\nRUN echo base > /base\nENV B=env" },
					app: {
						contexts: { below: "target:base" },
						"dockerfile-inline": "FROM below\nRUN echo $(cat /base) $B > /both\nCOPY f /f",
						tags: ["bake:app"],
					},
				},
			}),
		});
		const imagesBefore = (await suite.daemon.mustDocker(["images", "-aq", "--no-trunc"])).split("\n");
		const { code, stderr } = await buildx(suite.daemon, ["bake"], { cwd: suite.context.directory });
		expect([code, stderr]).toEqual([0, expect.stringContaining("[base 2/2] RUN echo base")]);
		expect(await suite.run("bake:app", "cat /both /f")).toBe("base env\nfile");
		const app = await suite.daemon.mustDocker(["inspect", "-f", "{{.Id}}", "bake:app"]);
		await waitFor("the image of the base to go", async () => {
			const images = (await suite.daemon.mustDocker(["images", "-aq", "--no-trunc"])).split("\n");
			return images.every((id) => id === app || imagesBefore.includes(id));
		});
	});
});

describe.skipIf(!isThere)(title("A client that goes"), () => {
	for (const signal of ["SIGINT", "SIGKILL"] as const)
		test(`with ${signal} stops its step, and leaves nothing open`, async () => {
			const marker = `31${process.pid % 1000}`;
			suite.context.write({ Dockerfile: ["FROM busybox", `RUN echo begun; sleep ${marker}`] });
			await build(["-q", "--call=targets", "."]);
			const descriptors = () => readdirSync(`/proc/${suite.daemon.pid}/fd`).length;
			const before = descriptors();
			const client = spawn(buildxPlugin ?? "", ["build", "--progress=plain", suite.context.directory], {
				env: { ...process.env, DOCKER_HOST: suite.daemon.host, DOCKER_CONFIG: suite.context.path("none") },
				stdio: ["ignore", "ignore", "pipe"],
			});
			let said = "";
			client.stderr.on("data", (chunk: Buffer) => {
				said += chunk.toString();
			});
			await waitFor("the step to begin", () => said.includes("begun\n"));
			client.kill(signal);
			await waitFor("the step to stop", async () => {
				const { stdout } = await runCommand(["pgrep", "-f", `^sleep ${marker}`]);
				return stdout === "";
			});
			await waitFor("what was open to be closed", () => descriptors() <= before);
		});
});

const hasDocker = isThere && dockerClient !== undefined;
describe.skipIf(!hasDocker)(
	`The docker client with the plugin${hasDocker ? "" : " (skipped: no docker-buildx or no docker)"}`,
	() => {
		test("builds by BuildKit, and without it", async () => {
			suite.context.write({ Dockerfile: ["FROM busybox", "RUN --mount=type=tmpfs,target=/x echo by > /by"] });
			const args = ["build", "--progress=plain", "-t", "docker:bk", suite.context.directory];
			const { code, stderr } = await suite.daemon.docker(args);
			expect([code, stderr]).toEqual([0, expect.stringContaining("[internal] load build definition")]);
			const classic = await suite.daemon.docker(["build", "-t", "docker:classic", suite.context.directory], {
				env: { DOCKER_BUILDKIT: "0" },
			});
			expect(classic.stdout).toContain("Successfully tagged docker:classic");
		});

		test.skipIf(composePlugin === undefined)(
			`builds by compose${composePlugin === undefined ? withoutPlugin("docker-compose") : ""}`,
			async () => {
				mkdirSync(suite.context.path("web"));
				suite.context.write({
					"web/Dockerfile": ["FROM busybox", "ARG X", "RUN echo $X > /x", 'CMD ["cat", "/x"]'],
					"compose.yaml": [
						"services:",
						"  web: {build: {context: web, args: {X: composed}}, image: 'composed:1', network_mode: none}",
					],
				});
				for (const bake of ["true", "false"]) {
					const { code, stderr } = await suite.daemon.docker(["compose", "build", "--no-cache"], {
						cwd: suite.context.directory,
						env: { COMPOSE_BAKE: bake },
					});
					expect([bake, code, stderr]).toEqual([bake, 0, expect.any(String)]);
					expect(await suite.daemon.mustDocker(["run", "--rm", "composed:1"])).toBe("composed");
				}
			},
		);
	},
);
