/** cp, diff and export with a client. */
import { beforeAll, describe, expect, test } from "bun:test";
import {
	chmodSync,
	chownSync,
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun } from "../../support/commands.ts";
import { dockerClient } from "../../support/daemon.ts";
import { tarOf } from "../../support/tar-builder.ts";

const suite = ClientSuite.use();
const { folder } = suite;
const SOURCE = join(folder, "src");
const STAMP = new Date("2020-01-02T03:04:05Z");

/** Neither has `x`; both have the volume, the stopped one for writing. */
const [RUNNING, STOPPED] = ["cp-running", "cp-stopped"];

beforeAll(async () => {
	mkdirSync(join(SOURCE, "d/sub"), { recursive: true });
	writeFileSync(join(SOURCE, "a"), "a\n");
	writeFileSync(join(SOURCE, "d/sub/c"), "c\n");
	symlinkSync("a", join(SOURCE, "la"));
	symlinkSync("d", join(SOURCE, "ld"));
	symlinkSync("/nope", join(SOURCE, "dangling"));
	chownSync(join(SOURCE, "a"), 33, 33);
	chmodSync(join(SOURCE, "a"), 0o4751);
	utimesSync(join(SOURCE, "a"), STAMP, STAMP);
	const options = ["-v", "cp-volume:/vol", "-v", `${folder}:/bind`, "-v", "/anonymous", "-w", "/inside/dir"];
	await suite.must(["create", "--name", STOPPED, ...options, "busybox", "sleep", "1000"]);
	const running = ["-v", "cp-volume:/vol:ro", "-v", `${folder}:/bind`, "--tmpfs", "/memory", "-w", "/inside/dir"];
	await suite.must(["run", "-d", "--name", RUNNING, ...running, "busybox", "sleep", "1000"]);
}, 60_000);

/** Members of the archive that `cp` gives for a path: names, or with `-v` what `ls -l` says of them. */
async function listed(path: string, ...options: string[]): Promise<string[]> {
	const archive = join(folder, "listed.tar");
	const program = dockerClient ?? join(import.meta.dir, "../../../bin/gantry");
	const env = { DOCKER_HOST: suite.daemon.host, DOCKER_CONFIG: folder };
	await mustRun(["sh", "-c", 'exec "$@" > "$0"', archive, program, "cp", path, "-"], { env });
	return (await mustRun(["tar", "--numeric-owner", ...options, "-tf", archive])).split("\n").sort();
}

describe.each([RUNNING, STOPPED])("into %s and back", (container) => {
	test("a directory becomes the target, or goes into it when it is there", async () => {
		await suite.must(["cp", SOURCE, `${container}:/tmp/x`]);
		await suite.must(["cp", SOURCE, `${container}:/tmp/x`]);
		await suite.must(["cp", `${SOURCE}/.`, `${container}:/tmp/y`]);
		expect(await listed(`${container}:/tmp/y`)).toEqual(
			["y/", "y/a", "y/d/", "y/d/sub/", "y/d/sub/c", "y/dangling", "y/la", "y/ld"].sort(),
		);
		expect((await listed(`${container}:/tmp/x`)).filter((name) => name.startsWith("x/src/")).length).toBe(8);
	});

	test("files keep mode, owner and time", async () => {
		await suite.must(["cp", join(SOURCE, "a"), `${container}:/tmp/file`]);
		await suite.must(["cp", "-a", join(SOURCE, "a"), `${container}:/tmp/kept`]);
		for (const name of ["file", "kept"]) {
			expect((await listed(`${container}:/tmp/${name}`, "-v"))[0]).toStartWith("-rwsr-x--x 33/33");
			await suite.must(["cp", "-a", `${container}:/tmp/${name}`, join(folder, `${name}-back`)]);
			expect(lstatSync(join(folder, `${name}-back`)).mtime).toEqual(STAMP);
		}
	});

	test("symbolic links stay links, or are followed with -L and a slash behind", async () => {
		await suite.must(["cp", join(SOURCE, "la"), `${container}:/tmp/la1`]);
		await suite.must(["cp", "-L", join(SOURCE, "la"), `${container}:/tmp/la2`]);
		await suite.must(["cp", `${join(SOURCE, "ld")}/`, `${container}:/tmp/ld2`]);
		await suite.must(["cp", join(SOURCE, "dangling"), `${container}:/tmp/dangling`]);
		const back = (name: string) => join(folder, `${container}-${name}`);
		for (const name of ["la1", "la2", "ld2", "dangling"])
			await suite.must(["cp", `${container}:/tmp/${name}`, back(name)]);
		expect([readlinkSync(back("la1")), readFileSync(back("la2"), "utf8")]).toEqual(["a", "a\n"]);
		expect([readdirSync(back("ld2")), readlinkSync(back("dangling"))]).toEqual([["sub"], "/nope"]);
		await suite.must(["cp", "-L", `${container}:/bin/sh`, back("sh")]);
		await suite.must(["cp", `${container}:/bin/sh`, back("sh-link")]);
		expect([lstatSync(back("sh")).isFile(), readlinkSync(back("sh-link"))]).toEqual([true, "busybox"]);
		expect(await suite.refusal(["cp", "-L", `${container}:/tmp/dangling`, back("none")])).toContain(
			`Could not find the file /nope in container ${container}`,
		);
	});

	test("archives go in and out through -", async () => {
		const stdin = tarOf({ name: "from-tar/" }, { name: "from-tar/f", content: "through a pipe" });
		await suite.must(["cp", "-", `${container}:/tmp`], { stdin });
		expect(await listed(`${container}:/tmp/from-tar`)).toEqual(["from-tar/", "from-tar/f"]);
		expect(await suite.refusal(["cp", "-", `${container}:/tmp/none`], { stdin })).toContain("must be a directory");
		expect(await suite.refusal(["cp", "-", `${container}:/etc/passwd`], { stdin })).toContain("must be a directory");
		expect(await suite.refusal(["cp", "-", `${container}:/tmp`], { stdin: "no archive" })).toContain("unexpected EOF");
	});

	test("the working directory is there, relative paths begin at the root", async () => {
		await suite.must(["cp", join(SOURCE, "a"), `${container}:/inside/dir`]);
		await suite.must(["cp", join(SOURCE, "a"), `${container}:relative`]);
		expect(await listed(`${container}:/inside/dir`)).toEqual(["dir/", "dir/a"]);
		expect(await listed(`${container}:/relative`)).toEqual(["relative"]);
	});

	test("binds and volumes are seen as the container sees them", async () => {
		writeFileSync(join(folder, "on-host"), "from the host");
		expect(await listed(`${container}:/bind/on-host`)).toEqual(["on-host"]);
		await suite.must(["cp", join(SOURCE, "a"), `${container}:/bind/to-${container}`]);
		expect(readFileSync(join(folder, `to-${container}`), "utf8")).toBe("a\n");
	});

	test("what cannot be is refused in Docker's words", async () => {
		const cases: [string, string, string][] = [
			[`${container}:/none`, folder, `Could not find the file /none in container ${container}`],
			[`${container}:/etc/passwd/`, folder, "not a directory"],
			[`${container}:/etc/passwd`, "/none/x/", "does not exist"],
			[`${container}:/etc/passwd`, "/none/x", 'invalid output path: directory "/none" does not exist'],
			[join(SOURCE, "none"), `${container}:/tmp`, "no such file or directory"],
			[SOURCE, `${container}:/etc/passwd`, "cannot copy directory"],
			[`${SOURCE}/.`, `${container}:/none/deep`, `Could not find the file /none in container ${container}`],
			[join(SOURCE, "a"), `${container}:/none/`, "no such directory"],
		];
		for (const [from, to, message] of cases) expect(await suite.refusal(["cp", from, to])).toContain(message);
	});
});

describe("a running container", () => {
	test("takes files on its tmpfs, and none on what is read-only", async () => {
		await suite.must(["cp", join(SOURCE, "a"), `${RUNNING}:/memory/m`]);
		expect(await suite.must(["exec", RUNNING, "cat", "/memory/m"])).toBe("a");
		expect(await suite.refusal(["cp", join(SOURCE, "a"), `${RUNNING}:/vol/x`])).toContain(
			"mounted volume is marked read-only",
		);
		await suite.must(["cp", join(SOURCE, "a"), `${STOPPED}:/vol/shared`]);
		expect(await suite.must(["exec", RUNNING, "cat", "/vol/shared"])).toBe("a");
	});

	test("keeps the files that are mounted into it", async () => {
		for (const path of ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"])
			expect(await suite.refusal(["cp", join(SOURCE, "a"), `${RUNNING}:${path}`])).toContain("device or resource busy");
		expect(await suite.must(["exec", RUNNING, "grep", "-c", "localhost", "/etc/hosts"])).not.toBe("0");
	});

	test("gives all its files without those of the kernel", async () => {
		const names = await listed(`${RUNNING}:/`);
		expect(names).toContain("/proc/");
		expect(names).toContain("/etc/passwd");
		expect(names.filter((name) => /^\/(proc|sys|dev)\/./.test(name))).toEqual([]);
	});

	test("cannot redirect a copy out of its root with links", async () => {
		const secret = join(folder, "secret");
		writeFileSync(secret, "of the host");
		const script = `ln -s /etc /tmp/e; ln -s ../../../../../../..${secret} /tmp/s; ln -s ${folder} /tmp/h`;
		await suite.must(["exec", RUNNING, "sh", "-c", script]);
		await suite.must(["cp", join(SOURCE, "a"), `${RUNNING}:/tmp/e/new`]);
		expect(await suite.must(["exec", RUNNING, "cat", "/etc/new"])).toBe("a");
		await suite.refusal(["cp", "-L", `${RUNNING}:/tmp/s`, join(folder, "stolen")]);
		await suite.refusal(["cp", join(SOURCE, "a"), `${RUNNING}:/tmp/h/planted`]);
		const stdin = tarOf(
			{ name: "out", type: "symlink", linkName: folder },
			{ name: "out/planted", content: "x" },
			{ name: "../../../../../../../../tmp/planted-by-gantry-test", content: "x" },
			{ name: "hard", type: "hard-link", linkName: secret },
		);
		await suite.run(["cp", "-", `${RUNNING}:/tmp`], { stdin });
		expect([existsSync(join(folder, "planted")), existsSync(join(folder, "stolen"))]).toEqual([false, false]);
		expect(existsSync("/tmp/planted-by-gantry-test")).toBe(false);
		expect(readFileSync(secret, "utf8")).toBe("of the host");
	});

	test("is copied from and to while it is paused", async () => {
		await suite.must(["pause", RUNNING]);
		await suite.must(["cp", join(SOURCE, "a"), `${RUNNING}:/tmp/paused`]);
		expect(await listed(`${RUNNING}:/tmp/paused`)).toEqual(["paused"]);
		await suite.must(["unpause", RUNNING]);
	});
});

test("a read-only root takes nothing but on its volumes", async () => {
	await suite.must(["run", "-d", "--name", "cp-ro", "--read-only", "-v", "/w", "busybox", "sleep", "100"]);
	expect(await suite.refusal(["cp", join(SOURCE, "a"), "cp-ro:/tmp/"])).toContain(
		"container rootfs is marked read-only",
	);
	await suite.must(["cp", join(SOURCE, "a"), "cp-ro:/w/a"]);
	expect(await suite.must(["exec", "cp-ro", "cat", "/w/a"])).toBe("a");
	await suite.must(["rm", "-fv", "cp-ro"]);
});

test("a read-only root takes nothing through a link on a volume, also while the container does not run", async () => {
	const args = ["--read-only", "-v", "/w", "busybox", "sh", "-c", "ln -sfn / /w/root; ls /etc"];
	const before = await suite.must(["run", "--name", "cp-ro-link", ...args]);
	expect(await suite.refusal(["cp", join(SOURCE, "a"), "cp-ro-link:/w/root/etc/added"])).toContain(
		"read-only file system",
	);
	await suite.must(["cp", join(SOURCE, "a"), "cp-ro-link:/w/a"]);
	expect(await suite.must(["start", "-a", "cp-ro-link"])).toBe(before);
	await suite.must(["rm", "-fv", "cp-ro-link"]);
});

test("cp between containers or on the host alone is refused, and so is a container that is not there", async () => {
	expect(await suite.refusal(["cp", `${RUNNING}:/x`, `${STOPPED}:/x`])).toContain("copying between containers");
	expect(await suite.refusal(["cp", "a", "b"])).toContain("must specify at least one container source");
	expect(await suite.refusal(["cp", "none:/x", "."])).toContain("No such container: none");
	expect(await suite.refusal(["cp", SOURCE, "none:/x"])).toContain("No such container: none");
});

describe("diff and export", () => {
	const SCRIPT =
		"rm /etc/group; echo x >> /etc/passwd; mkdir -p /q/w; touch /q/w/e; rm -rf /home /var/www; mkdir /var/www; touch /var/www/n";

	beforeAll(async () => {
		await suite.must(["run", "--name", "changed", "busybox", "sh", "-c", SCRIPT]);
	});

	test("diff names what was added, changed and deleted", async () => {
		expect((await suite.must(["diff", "changed"])).split("\n").sort()).toEqual(
			[
				...["C /etc", "D /etc/group", "C /etc/passwd", "D /home", "A /q", "A /q/w", "A /q/w/e"],
				...["C /var", "C /var/www", "D /var/www/index.html", "A /var/www/n"],
			].sort(),
		);
		expect(await suite.must(["diff", RUNNING])).not.toContain("/memory/m");
		expect(await suite.refusal(["diff", "none"])).toContain("No such container: none");
	});

	test("export gives the root file system, and an image with the same files", async () => {
		const archive = join(folder, "export.tar");
		await suite.must(["export", "-o", archive, "changed"]);
		const names = (await mustRun(["tar", "-tf", archive])).split("\n");
		expect(names).toContain("q/w/e");
		expect(names).not.toContain("etc/group");
		await suite.must(["import", archive, "exported"]);
		const list = ["run", "--rm", "exported", "/bin/busybox", "ls", "/var/www"];
		expect(await suite.must(list)).toBe("n");
		expect(await suite.refusal(["export", "-o", archive, "none"])).toContain("No such container: none");
		expect(await suite.refusal(["export", "-o", "/none/x", "changed"])).toContain("/none");
	});

	test("commit keeps the changes, deletions included", async () => {
		await suite.must(["commit", "changed", "changed-image"]);
		const script = "ls -d /etc/group /home 2>&1; ls /var/www /q/w; wc -l < /etc/passwd";
		const output = await suite.must(["run", "--rm", "changed-image", "sh", "-c", script]);
		expect(output).toBe(
			"ls: /etc/group: No such file or directory\nls: /home: No such file or directory\n/q/w:\ne\n\n/var/www:\nn\n10",
		);
	});
});
