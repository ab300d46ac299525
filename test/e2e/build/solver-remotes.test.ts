/** ADD of URLs and repositories, and contexts that come from them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestContext } from "../../support/build-context.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";

let daemon: TestDaemon;
let context: TestContext;
const directory = mkdtempSync(join(tmpdir(), "gantry-remotes-"));
const requests: string[] = [];
const web = Bun.serve({
	port: 0,
	hostname: "127.0.0.1",
	fetch(request) {
		const { pathname } = new URL(request.url);
		requests.push(pathname);
		if (pathname === "/named/")
			return new Response("named", { headers: { "Content-Disposition": 'attachment; filename="../given"' } });
		if (pathname === "/Dockerfile")
			return new Response("FROM busybox\nRUN echo text > /how\n", { headers: { "Content-Type": "text/plain" } });
		if (pathname === "/pattern/")
			return new Response("stars", { headers: { "Content-Disposition": 'attachment; filename="a*[b"' } });
		if (pathname === "/elsewhere") return Response.redirect("file:///etc/hostname");
		if (pathname === "/moved") return Response.redirect("/file.txt");
		if (pathname === "/missing") return new Response("", { status: 404 });
		if (pathname === "/context.tar.gz") return new Response(Bun.file(join(directory, "context.tar.gz")));
		return new Response("fetched", { headers: { "Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT" } });
	},
});
let gitServer: ReturnType<typeof Bun.spawn> | undefined;
let repository = "";

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	return typeof address === "object" && address !== null ? address.port : 0;
}

async function git(...args: string[]): Promise<string> {
	const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"];
	return mustRun(["git", ...identity, "-C", join(directory, "repos", "app.git"), ...args]);
}

beforeAll(async () => {
	daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	const tree = join(directory, "repos", "app.git");
	mkdirSync(join(tree, "sub"), { recursive: true });
	writeFileSync(join(tree, "Dockerfile"), "FROM busybox\nCOPY sub/file /file\n");
	writeFileSync(join(tree, "sub", "Dockerfile"), "FROM busybox\nCOPY file /below\n");
	writeFileSync(join(tree, "sub", "file"), "one");
	await git("init", "--quiet");
	await git("add", ".");
	await git("commit", "--quiet", "-m", "one");
	await git("tag", "v1");
	writeFileSync(join(tree, "sub", "file"), "two");
	await git("commit", "--quiet", "-a", "-m", "two");
	await mustRun(["tar", "-C", tree, "-czf", join(directory, "context.tar.gz"), "--exclude=.git", "."]);
	const port = await freePort();
	const base = join(directory, "repos");
	gitServer = Bun.spawn(
		[
			"git",
			"daemon",
			"--export-all",
			"--reuseaddr",
			"--listen=127.0.0.1",
			`--port=${port}`,
			`--base-path=${base}`,
			base,
		],
		{ stdout: "ignore", stderr: "ignore" },
	);
	repository = `git://127.0.0.1:${port}/app.git`;
	await waitFor("git's server", async () =>
		Bun.spawn(["git", "ls-remote", repository], { stdout: "ignore", stderr: "ignore" }).exited.then(
			(code) => code === 0,
		),
	);
});
afterAll(async () => {
	gitServer?.kill();
	await gitServer?.exited;
	await web.stop(true);
	rmSync(directory, { recursive: true, force: true });
	await daemon.remove();
});
beforeEach(() => {
	context = new TestContext({});
	return () => context[Symbol.dispose]();
});

const CLASSIC = { env: { DOCKER_BUILDKIT: "0" } };

async function build(dockerfile: readonly string[], tag: string): Promise<{ code: number; output: string }> {
	context.write({ Dockerfile: dockerfile });
	const { code, stdout, stderr } = await daemon.docker(["build", "-t", tag, context.directory], CLASSIC);
	return { code, output: `${stdout}${stderr}` };
}

const run = (image: string, command: string) => daemon.mustDocker(["run", "--rm", image, "sh", "-c", command]);

// They read what docker prints of the cache.
describe.skipIf(dockerClient === undefined)("ADD fetches", () => {
	test("a file: its name, its time, and nobody else's business", async () => {
		const url = web.url.href;
		const dockerfile = [
			"FROM busybox",
			`ADD ${url}file.txt /in/`,
			`ADD --chmod=644 ${url}moved /as`,
			`ADD ${url}named/ /in/`,
		];
		expect((await build(dockerfile, "fetched")).code).toBe(0);
		expect(await run("fetched", "cat /in/file.txt /as; ls /in; stat -c '%a %Y' /in/file.txt /as")).toBe(
			"fetchedfetchedfile.txt\ngiven\n600 1577836800\n644 1577836800",
		);
		expect((await build(dockerfile, "fetched")).output.match(/Using cache/g)?.length).toBe(3);
	});

	test("a file whose name looks like a pattern", async () => {
		const { output } = await build(["FROM busybox", `ADD ${web.url.href}pattern/ /in/`, "RUN ls /in"], "pattern");
		expect(output).toContain("a*[b");
	});

	test("nothing that is on the daemon's machine, and says so without passwords", async () => {
		const address = `http://me:hidden@127.0.0.1:${web.port}/elsewhere`;
		context.write({ Dockerfile: ["FROM scratch", `ADD ${address} /in/`] });
		const { code, stderr } = await daemon.gantry(["build", "--progress=plain", context.directory]);
		expect(code).toBe(1);
		expect(stderr.split("ERROR: failed to build:")[1]).toBe(
			` failed to fetch ${address.replace("hidden", "xxxxx")}: redirected to an address that is neither http nor https\n`,
		);
	});

	test("what has the checksum, without asking again, and nothing else", async () => {
		const digest = `sha256:${createHash("sha256").update("fetched").digest("hex")}`;
		const dockerfile = ["FROM busybox", `ADD --checksum=${digest} ${web.url.href}checked /checked`];
		expect((await build(dockerfile, "checked")).code).toBe(0);
		const before = requests.length;
		expect((await build(dockerfile, "checked")).output).toContain("Using cache");
		expect(requests.length).toBe(before);
		const wrong = await build(["FROM busybox", `ADD --checksum=sha256:${"0".repeat(64)} ${web.url.href}x /x`], "wrong");
		expect(wrong.output).toContain("digest mismatch");
		expect((await build(["FROM busybox", `ADD ${web.url.href}missing /x`], "wrong")).output).toContain("404");
	});

	test("an archive, unpacked when that is said", async () => {
		const url = `${web.url.href}context.tar.gz`;
		expect((await build(["FROM busybox", `ADD ${url} /as/`, `ADD --unpack=true ${url} /in/`], "archive")).code).toBe(0);
		expect(await run("archive", "ls /as /in")).toBe("/as:\ncontext.tar.gz\n\n/in:\nDockerfile\nsub");
	});

	test("a repository: a tag, a directory of it, its history when that is said", async () => {
		const dockerfile = [
			"FROM busybox",
			`ADD ${repository} /whole`,
			`ADD ${repository}#v1:sub /part/`,
			`ADD --keep-git-dir=true ${repository}#main /kept`,
			`ADD ${repository}?tag=v1&subdir=sub /query/`,
		];
		expect((await build(dockerfile, "repository")).output).toContain("Successfully built");
		expect(
			await run(
				"repository",
				"cat /whole/sub/file /part/file /query/file; test -e /whole/.git || test -d /kept/.git && echo kept",
			),
		).toBe("twooneonekept");
		expect((await build(dockerfile, "repository")).output.match(/Using cache/g)?.length).toBe(4);
		expect((await build(["FROM busybox", `ADD ${repository}?colour=red /x`], "x")).output).toContain(
			'unexpected query "colour"',
		);
		const other = `${repository}?tag=v1&commit=${"1".repeat(40)}`;
		expect((await build(["FROM busybox", `ADD ${other} /x`], "x")).output).toContain("digest mismatch");
		expect((await build(["FROM busybox", `ADD ${repository}#nowhere /x`], "x")).output).toContain(
			"does not contain ref",
		);
	});
});

describe("a context comes", () => {
	test.each([
		["from a repository", () => `${repository}#v1`, "/file", "one"],
		["from a repository with a query", () => `${repository}?tag=v1&keep-git-dir`, "/file", "one"],
		["from a directory of a repository", () => `${repository}#main:sub`, "/below", "two"],
		["as an archive by HTTP", () => `${web.url.href}context.tar.gz`, "/file", "two"],
		["as a Dockerfile by HTTP", () => `${web.url.href}Dockerfile`, "/how", "text"],
	])("%s", async (_name, url, path, text) => {
		const response = await daemon.api("POST", `/v1.43/build?t=remote&remote=${encodeURIComponent(url())}`);
		expect(await response.text()).toContain("Successfully tagged remote:latest");
		expect(await run("remote", `cat ${path}`)).toBe(text);
	});

	test("with its files untouched", () => {
		expect(readFileSync(join(directory, "repos", "app.git", "sub", "file"), "utf8")).toBe("two");
	});
});
