/** Where the files of `gantry build` come from, and which of them are sent. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { TestContext } from "../../support/build-context.ts";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";

const suite = new BuildSuite({
	files: { Dockerfile: ["FROM busybox", "COPY . /context"], "a.txt": "a\n", "dir/b.txt": "b\n" },
});

/** Builds, and lists the files that came into the image. */
async function filesOf(args: readonly string[], stdin?: string | Uint8Array): Promise<string[]> {
	const id = await suite.daemon.mustGantry(["build", "-q", ...args], stdin === undefined ? {} : { stdin });
	const list = await suite.daemon.mustGantry(["run", "--rm", id, "sh", "-c", "cd /context && find . ! -type d"]);
	return list.split("\n").filter(Boolean).sort();
}

describe("gantry build takes", () => {
	test("a directory", async () => {
		expect(await filesOf([suite.context.directory])).toEqual(["./Dockerfile", "./a.txt", "./dir/b.txt"]);
	});

	test("a Dockerfile from elsewhere, with the ignore file beside it", async () => {
		using other = new TestContext({
			"My.Dockerfile": ["FROM busybox", "COPY . /context"],
			"My.Dockerfile.dockerignore": "dir\nDockerfile\n",
		});
		suite.context.write({ ".dockerignore": "a.txt" });
		expect(await filesOf(["-f", other.path("My.Dockerfile"), suite.context.directory])).toEqual([
			"./.dockerignore",
			"./a.txt",
		]);
	});

	test("a Dockerfile from standard input, with a directory's files", async () => {
		const dockerfile = "FROM busybox\nCOPY dir /context\n";
		expect(await filesOf(["-f", "-", suite.context.directory], dockerfile)).toEqual(["./b.txt"]);
	});

	test("a Dockerfile from standard input alone", async () => {
		const dockerfile = "FROM busybox\nRUN mkdir /context && touch /context/made\n";
		expect(await filesOf(["-"], dockerfile)).toEqual(["./made"]);
		const { code, stderr } = await suite.daemon.gantry(["build", "-"], { stdin: "FROM busybox\nCOPY a.txt /\n" });
		expect(code).toBe(1);
		expect(stderr).toContain("a.txt");
	});

	for (const [how, flags] of [
		["plain", "-c"],
		["gzip", "-cz"],
		["xz", "-cJ"],
		["bzip2", "-cj"],
		["zstd", "-c --zstd"],
	] as const)
		test(`an archive from standard input, ${how}`, async () => {
			const tar = Bun.spawnSync(["tar", "-C", suite.context.directory, ...flags.split(" "), "."]);
			if (tar.exitCode !== 0) throw new Error(tar.stderr.toString());
			expect(await filesOf(["-"], tar.stdout)).toEqual(["./Dockerfile", "./a.txt", "./dir/b.txt"]);
		});

	test("another Dockerfile of an archive", async () => {
		suite.context.write({ "docker/Other": ["FROM busybox", "COPY a.txt /context/"] });
		const tar = await mustTar(suite.context.directory);
		expect(await filesOf(["-f", "docker/Other", "-"], tar)).toEqual(["./a.txt"]);
	});

	test("an archive from a URL", async () => {
		await using server = await serve(await mustTar(suite.context.directory));
		expect(await filesOf([server.url])).toEqual(["./Dockerfile", "./a.txt", "./dir/b.txt"]);
	});

	test("a git repository, at a branch and in a directory", async () => {
		const git = (...args: string[]) =>
			mustRun(["git", "-C", suite.context.directory, "-c", "user.name=t", "-c", "user.email=t@t", ...args]);
		await git("init", "-q", "-b", "main");
		await git("add", ".");
		await git("commit", "-q", "-m", "first");
		await git("checkout", "-q", "-b", "other");
		suite.context.write({ "sub/Dockerfile": ["FROM busybox", "COPY c.txt /context/"], "sub/c.txt": "c\n" });
		await git("add", ".");
		await git("commit", "-q", "-m", "second");
		await git("update-server-info");
		await using server = await serveFiles(suite.context.path(".git"));
		expect(await filesOf([`${server.url}/repository.git#main`])).toEqual(["./Dockerfile", "./a.txt", "./dir/b.txt"]);
		expect(await filesOf([`${server.url}/repository.git#other:sub`])).toEqual(["./c.txt"]);
	});

	test("other directories and images by names", async () => {
		using other = new TestContext({ "c.txt": "c\n" });
		suite.context.write({ Dockerfile: ["FROM base", "COPY --from=more c.txt /context/"] });
		const contexts = ["--build-context", `more=${other.directory}`, "--build-context", "base=docker-image://busybox"];
		expect(await filesOf([...contexts, suite.context.directory])).toEqual(["./c.txt"]);
	});
});

describe("gantry build sends", () => {
	test("nothing that the Dockerfile does not use", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "COPY dir /context"], huge: "x".repeat(5_000_000) });
		const { stderr } = await suite.daemon.gantry(["build", "--progress", "plain", suite.context.directory]);
		expect(stderr).toMatch(/transferring context: 2B/);
	});

	test("what changed since the last build, and keeps the layers of what did not", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "COPY huge /", "COPY a.txt /"], huge: "y".repeat(5_000_000) });
		await Bun.sleep(60); // until the files' times are evidence
		const first = await suite.daemon.gantry(["build", "--progress", "plain", suite.context.directory]);
		expect(first.stderr).toMatch(/transferring context: 5MB/);
		suite.context.write({ "a.txt": "changed\n" });
		const second = await suite.daemon.gantry(["build", "--progress", "plain", suite.context.directory]);
		expect(second.stderr).toMatch(/transferring context: 8B/);
		expect(second.stderr).toMatch(/#(\d+) \[2\/3\] COPY huge \/\n#\1 CACHED/);
		expect(second.stderr).not.toMatch(/#(\d+) \[3\/3\] COPY a.txt \/\n#\1 CACHED/);
	});

	test("links as links, and what they lead to inside of the context", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "COPY in/b.txt /context/", "COPY links /context/links"] });
		symlinkSync("dir", suite.context.path("in"));
		suite.context.write({ "links/x": "x\n" });
		symlinkSync("../../etc/passwd", suite.context.path("links/out"));
		const id = await suite.daemon.mustGantry(["build", "-q", suite.context.directory]);
		const shown = await suite.daemon.mustGantry([
			"run",
			"--rm",
			id,
			"sh",
			"-c",
			"cat /context/b.txt; readlink /context/links/out",
		]);
		expect(shown).toBe("b\n../../etc/passwd");
		suite.context.write({ Dockerfile: ["FROM busybox", "COPY out/hostname /"] });
		symlinkSync("/etc", suite.context.path("out"));
		const { code, stderr } = await suite.daemon.gantry(["build", suite.context.directory]);
		expect([code, /hostname/.test(stderr)]).toEqual([1, true]);
	});

	test("links that a wildcard matches with what they lead to; one that leads nowhere is an error", async () => {
		const { context, daemon } = suite;
		context.write({
			Dockerfile: ["FROM scratch", "COPY d/l* way/x* w*/y* /"],
			"odd[1]": "odd\n",
			"real/x": "x\n",
			"real/y": "",
		});
		context.write({ "d/other": "", "e/hidden": "" });
		symlinkSync("/odd[1]", context.path("d/link"));
		symlinkSync("real", context.path("way"));
		const build = () => daemon.gantry(["build", "-o", context.path("out"), context.directory]);
		expect((await build()).code).toBe(0);
		expect(readdirSync(context.path("out")).sort()).toEqual(["link", "x"]);
		expect(readFileSync(context.path("out/link"), "utf8")).toBe("odd\n");
		symlinkSync("nowhere", context.path("d/lost"));
		const { code, stderr } = await build();
		expect([code, stderr]).toEqual([1, expect.stringContaining('"/d/lost": not found')]);
		context.write({ ".dockerignore": ["d/lost"] });
		expect((await build()).code).toBe(0);
	});
});

test("copies of contexts are records of the build cache, and go with a prune", async () => {
	await suite.daemon.mustGantry(["build", "-q", suite.context.directory]);
	const records = async () => {
		const usage = (await (await suite.daemon.api("GET", "/v1.51/system/df?type=build-cache")).json()) as {
			BuildCache: { Type: string; Description: string; InUse: boolean; Size: number }[];
		};
		return usage.BuildCache.filter(({ Type }) => Type === "source.local");
	};
	const [record] = await records();
	expect(record).toMatchObject({ Description: "local source for context", InUse: false });
	const pruned = await suite.daemon.mustGantry(["builder", "prune", "-f", "--filter", "type=source.local"]);
	expect(pruned).toContain("Total reclaimed space:");
	expect(await records()).toEqual([]);
	expect(await filesOf([suite.context.directory])).toEqual(["./Dockerfile", "./a.txt", "./dir/b.txt"]);
});

test("a build after the daemon was killed in the middle of a context has all of it", async () => {
	const directory = suite.context.directory;
	await mustRun(["sh", "-c", `head -c 100000000 /dev/urandom > ${suite.context.path("large")}`]);
	const build = suite.daemon.gantry(["build", "--progress", "plain", directory]);
	await waitFor("the file to begin to arrive", () =>
		readdirSync(join(suite.daemon.dataRoot, "build"), { recursive: true }).some((path) =>
			String(path).endsWith("/tree/large"),
		),
	);
	await suite.daemon.kill();
	const { code, stderr } = await build;
	expect(code).not.toBe(0);
	expect(stderr).not.toBe("");
	await suite.daemon.start();
	const sum = (await mustRun(["sha256sum", suite.context.path("large")])).split(" ")[0];
	const id = await suite.daemon.mustGantry(["build", "-q", directory]);
	const inside = await suite.daemon.mustGantry(["run", "--rm", id, "sha256sum", "/context/large"]);
	expect(inside.split(" ")[0]).toBe(sum as string);
});

test("two builds of one directory at the same time do not disturb each other", async () => {
	suite.context.write({ Dockerfile: ["FROM busybox", "COPY . /context", "RUN cat /context/a.txt"] });
	const builds = Array.from({ length: 4 }, (_, index) =>
		suite.daemon.mustGantry(["build", "-q", "--no-cache", "--label", `n=${index}`, suite.context.directory]),
	);
	const ids = await Promise.all(builds);
	expect(new Set(ids).size).toBe(4);
});

for (const [what, args, message] of [
	["a directory that is not there", ["/nowhere/at/all"], 'path "/nowhere/at/all" not found'],
	["a Dockerfile that is not there", ["-f", "/nowhere/Dockerfile", "."], "open /nowhere/Dockerfile: no such file"],
	["standard input twice", ["-f", "-", "-"], "can't use stdin for both build context and dockerfile"],
	["a named context without a value", ["--build-context", "a", "."], "invalid context value: a"],
] as const)
	test(`gantry build refuses ${what}`, async () => {
		const { code, stderr } = await suite.daemon.gantry(["build", ...args], { cwd: suite.context.directory, stdin: "" });
		expect(code).toBe(1);
		expect(stderr).toContain(message);
	});

async function mustTar(directory: string): Promise<Uint8Array> {
	const tar = Bun.spawnSync(["tar", "-C", directory, "-c", "."]);
	if (tar.exitCode !== 0) throw new Error(tar.stderr.toString());
	return tar.stdout;
}

describe("a context is sent", () => {
	/** Directories of the daemon's build cache in which there is such a file. */
	const kept = (path: string) =>
		readdirSync(join(suite.daemon.dataRoot, "build/cache"))
			.map((id) => join(suite.daemon.dataRoot, "build/cache", id))
			.filter((directory) => existsSync(join(directory, path)));

	test("while a step runs that needs nothing of it", async () => {
		suite.context.write({
			Dockerfile: [
				"FROM busybox",
				"RUN --mount=type=cache,target=/meet touch /meet/running && until [ -e /meet/go ]; do sleep 0.05; done",
				"COPY early.txt /",
			],
			"early.txt": "early\n",
		});
		const building = suite.daemon.gantry(["build", "-q", suite.context.directory]);
		const [meeting] = await waitFor("the step to run", () => {
			const found = kept("fs/running");
			return found.length > 0 ? found : undefined;
		});
		await waitFor("the context to come", () => kept("tree/early.txt").length > 0);
		writeFileSync(join(meeting ?? "", "fs/go"), "");
		expect((await building).code).toBe(0);
	});

	test("no further when the build has failed, and whole by the next one", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN false", "COPY large /"], large: "" });
		truncateSync(suite.context.path("large"), 100_000_000);
		const failed = await suite.daemon.gantry(["build", "-q", suite.context.directory]);
		expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("did not complete successfully")]);
		suite.context.write({ Dockerfile: ["FROM busybox", "COPY large /", "RUN wc -c < /large"] });
		const built = await suite.daemon.gantry(["build", "--progress=plain", suite.context.directory]);
		expect(built.stderr).toContain("100000000");
	});
});

/** As a plain web server offers a repository, under the name `repository.git`. */
async function serveFiles(root: string): Promise<{ url: string } & AsyncDisposable> {
	const server: Server = createServer((request, response) => {
		const path = (request.url ?? "").split("?")[0]?.replace(/^\/repository\.git\//, "") ?? "";
		const file = join(root, path);
		if (!existsSync(file)) response.statusCode = 404;
		response.end(existsSync(file) ? readFileSync(file) : "");
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		async [Symbol.asyncDispose]() {
			server.closeAllConnections();
			server.close();
		},
	};
}

async function serve(body: Uint8Array): Promise<{ url: string } & AsyncDisposable> {
	const server: Server = createServer((_request, response) => response.end(body));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/context.tar`,
		async [Symbol.asyncDispose]() {
			server.closeAllConnections();
			server.close();
		},
	};
}
