/** Where results of `gantry build` go on the client's side, and what it lends to steps while they run. */
import { beforeEach, describe, expect, test } from "bun:test";
import {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite();

const FILES = [
	"FROM busybox AS make",
	"RUN mkdir -p /out/sub && echo one > /out/a && ln -s a /out/link && echo two > /out/sub/b && chmod 750 /out/sub",
	"FROM scratch",
	"COPY --from=make /out /",
];

function build(...args: string[]) {
	return suite.daemon.gantry(["build", "-q", ...args, suite.context.directory]);
}

async function mustBuild(...args: string[]): Promise<string> {
	const { code, stdout, stderr } = await build(...args);
	if (code !== 0) throw new Error(stderr);
	return stdout;
}

describe("gantry build writes", () => {
	beforeEach(() => suite.context.write({ Dockerfile: FILES }));

	for (const form of ["DIRECTORY", "type=local,dest=DIRECTORY"])
		test(`the files to ${form}`, async () => {
			const out = suite.context.path("new/out");
			expect(await mustBuild("-o", form.replace("DIRECTORY", out))).toBe("");
			expect(readFileSync(`${out}/a`, "utf8")).toBe("one\n");
			expect(readlinkSync(`${out}/link`)).toBe("a");
			expect(readFileSync(`${out}/sub/b`, "utf8")).toBe("two\n");
			expect(lstatSync(`${out}/sub`).mode & 0o7777).toBe(0o750);
			// Over what is there, without touching what it does not have.
			writeFileSync(`${out}/a`, "changed");
			writeFileSync(`${out}/mine`, "kept");
			await mustBuild("-o", out);
			expect(readFileSync(`${out}/a`, "utf8")).toBe("one\n");
			expect(readdirSync(out).sort()).toEqual(["a", "link", "mine", "sub"]);
		});

	test("nothing through links that lie in the directory", async () => {
		const out = suite.context.path("out");
		mkdirSync(out);
		mkdirSync(suite.context.path("elsewhere"));
		symlinkSync("../elsewhere", `${out}/sub`);
		const { code } = await build("-o", out);
		expect(existsSync(suite.context.path("elsewhere/b"))).toBe(false);
		// Refused or replaced, but never followed.
		if (code === 0) expect(lstatSync(`${out}/sub`).isDirectory()).toBe(true);
	});

	test("archives, and none where the build fails", async () => {
		const tar = suite.context.path("out.tar");
		await mustBuild("-o", `type=tar,dest=${tar}`);
		expect(
			(await mustRun(["tar", "-tf", tar]))
				.split("\n")
				.map((name) => name.replace(/\/$/, ""))
				.sort(),
		).toEqual(["a", "link", "sub", "sub/b"]);
		const oci = suite.context.path("out.oci");
		await mustBuild("-o", `type=oci,dest=${oci}`);
		expect(await mustRun(["tar", "-tf", oci])).toContain("oci-layout");
		const docker = suite.context.path("docker.tar");
		await mustBuild("-t", "exported:1", "-o", `type=docker,dest=${docker}`);
		expect(await suite.daemon.mustGantry(["load", "-i", docker])).toContain("exported:1");
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN false"] });
		expect((await build("-o", `type=tar,dest=${suite.context.path("never.tar")}`)).code).toBe(1);
		expect(readdirSync(suite.context.directory).filter((name) => name.startsWith("never"))).toEqual([]);
	});

	test("an archive to standard output, and refuses a terminal", async () => {
		const child = Bun.spawn(["tar", "-t"], { stdin: "pipe", stdout: "pipe" });
		const { stdout } = await suite.daemon.gantry(["build", "-o", "-", suite.context.directory]);
		child.stdin.write(Buffer.from(stdout, "utf8"));
		await child.stdin.end();
		expect((await child.stdout.text()).split("\n")).toContain("sub/b");
		await using terminal = suite.daemon.terminal("gantry", ["build", "-o", "-", suite.context.directory]);
		await terminal.expect(/refusing to write an archive to the terminal/);
		expect(await terminal.exited).toBe(1);
	});

	test("no image unless it is asked for", async () => {
		const before = await suite.daemon.mustGantry(["images", "-aq"]);
		await mustBuild("--no-cache", "-o", "type=cacheonly");
		expect(await suite.daemon.mustGantry(["images", "-aq"])).toBe(before);
	});
});

describe("gantry build lends an ssh agent to a step", () => {
	/** ssh-add with its libraries: the base image has none. Taken from `/`, of which nothing else is sent. */
	async function sshAddLines(): Promise<string[]> {
		const libraries = [...(await mustRun(["ldd", "/usr/bin/ssh-add"])).matchAll(/(\/\S+) \(0x/g)].map(
			([, path]) => path,
		);
		return ["/usr/bin/ssh-add", ...libraries].map((path) => `COPY --from=host ${path} ${path}`);
	}

	async function keyFile(name: string): Promise<string> {
		await mustRun(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", suite.context.path(name)]);
		return suite.context.path(name);
	}

	const canRun = Bun.which("ssh-agent") !== null && Bun.which("ssh-keygen") !== null;
	test.skipIf(!canRun)("with keys of files, and ends it afterwards (needs OpenSSH's client)", async () => {
		const keys = await Promise.all(["first key", "second"].map((name) => keyFile(name.replace(" ", "-"))));
		suite.context.write({
			Dockerfile: ["FROM busybox", ...(await sshAddLines()), "RUN --mount=type=ssh,id=mine ssh-add -l"],
			".dockerignore": "*",
		});
		const args = ["--progress=plain", "--build-context", "host=/", "--ssh", `mine=${keys.join(",")}`];
		const { code, stderr } = await suite.daemon.gantry(["build", ...args, suite.context.directory]);
		expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
		expect(stderr).toMatch(/256 SHA256:\S+ first-key \(ED25519\)/);
		expect(stderr).toMatch(/256 SHA256:\S+ second \(ED25519\)/);
		expect(await mustRun(["ps", "-eo", "args"])).not.toContain("gantry-ssh-");
	});

	test("only where there is one", async () => {
		suite.context.write({ Dockerfile: ["FROM busybox", "RUN --mount=type=ssh,required true"] });
		expect((await build()).code).toBe(1);
		const { code, stderr } = await build("--ssh", "default=/nowhere/agent");
		expect([code, stderr]).toEqual([1, expect.stringContaining("failed to use /nowhere/agent for ssh")]);
		const unset = await suite.daemon.gantry(["build", "--ssh", "default", suite.context.directory], {
			env: { SSH_AUTH_SOCK: undefined },
		});
		expect([unset.code, unset.stderr]).toEqual([1, expect.stringContaining("make sure SSH_AUTH_SOCK is set")]);
	});
});

test("gantry system prune takes the build cache along, and says so before it asks", async () => {
	suite.context.write({ Dockerfile: ["FROM busybox", "RUN echo cached > /cached"] });
	await mustBuild("-o", "type=cacheonly");
	const question = await suite.daemon.gantry(["system", "prune"], { stdin: "n\n" });
	expect(question.stdout).toContain("  - unused build cache\n");
	const pruned = await suite.daemon.mustGantry(["system", "prune", "-f"]);
	expect(pruned).toContain("Deleted build cache objects:");
	suite.context.write({ Dockerfile: ["FROM busybox", "RUN echo cached > /cached"] });
	const { stderr } = await suite.daemon.gantry([
		"build",
		"--progress=plain",
		"-o",
		"type=cacheonly",
		suite.context.directory,
	]);
	expect(stderr).not.toMatch(/RUN echo cached > \/cached\n#\d+ CACHED/);
});
