/** Volumes, binds and tmpfs with a client. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { readMounts } from "../../support/leaks.ts";

const suite = ClientSuite.use();
const { folder } = suite;

/** Type, mount point and first option of what is mounted at a path in a container with these options. */
function mounted(path: string, ...options: string[]): Promise<string> {
	return suite.sh(`grep " ${path} " /proc/mounts | cut -d' ' -f2-4`, ...options);
}

describe("volumes", () => {
	test("are made, listed by filters, inspected and removed by name", async () => {
		expect(await suite.must(["volume", "create", "--label", "a=b", "one"])).toBe("one");
		expect(await suite.must(["volume", "create", "one"])).toBe("one");
		const anonymous = await suite.must(["volume", "create"]);
		expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
		const [inspected] = JSON.parse(await suite.must(["volume", "inspect", "one"]));
		expect(inspected).toMatchObject({
			Driver: "local",
			Labels: { a: "b" },
			Name: "one",
			Options: null,
			Scope: "local",
		});
		expect(existsSync(inspected.Mountpoint)).toBe(true);
		const list = (...filters: string[]) =>
			suite.must(["volume", "ls", "-q", ...filters.flatMap((filter) => ["-f", filter])]);
		expect(await list("label=a")).toBe("one");
		expect(await list("name=on", "driver=local", "dangling=true")).toBe("one");
		expect(await list("label=a=c")).toBe("");
		expect(await suite.must(["volume", "rm", "one", anonymous])).toBe(`one\n${anonymous}`);
		expect(existsSync(inspected.Mountpoint)).toBe(false);
		expect(await suite.must(["volume", "rm", "-f", "one"])).toBe("one");
	});

	test("that cannot be are refused in Docker's words, and not made", async () => {
		const create = (...args: string[]) => suite.refusal(["volume", "create", ...args]);
		expect(await create("-d", "none", "bad")).toContain(
			'create bad: error looking up volume plugin none: plugin "none"',
		);
		expect(await create("a")).toContain("create a: volume name is too short");
		expect(await create("x/y")).toContain('"x/y" includes invalid characters for a local volume name');
		expect(await create("--opt", "foo=bar", "bad")).toContain('create bad: invalid option: "foo"');
		expect(await create("--opt", "type=tmpfs", "bad")).toContain('create bad: missing required option: "device"');
		expect(await create("--opt", "size=10m", "bad")).toContain("quota size requested but no quota support");
		expect(await suite.refusal(["volume", "inspect", "bad"])).toContain("no such volume");
		expect(await suite.refusal(["volume", "rm", "bad"])).toContain("get bad: no such volume");
		expect(await suite.refusal(["volume", "ls", "-f", "foo=1"])).toContain("invalid filter 'foo'");
		expect(await suite.must(["volume", "ls", "-q"])).toBe("");
	});

	test("are filled from the image on first use, once, and not with nocopy", async () => {
		expect(await suite.sh("ls /etc; echo own > /etc/own", "-v", "filled:/etc")).toContain("passwd");
		expect(await suite.sh("rm /etc/own; ls /etc", "-v", "filled:/etc")).toContain("passwd");
		expect(await suite.must(["run", "--rm", "-v", "empty:/etc:nocopy", "busybox", "ls", "/etc"])).not.toContain(
			"passwd",
		);
		const mount = "type=volume,src=empty2,dst=/etc,volume-nocopy,volume-label=q=r";
		expect(await suite.must(["run", "--rm", "--mount", mount, "busybox", "ls", "/etc"])).not.toContain("passwd");
		expect(await suite.must(["volume", "inspect", "-f", "{{.Labels.q}}", "empty2"])).toBe("r");
		expect(await suite.sh("stat -c '%a' /tmp", "-v", "sticky:/tmp")).toBe("1777");
		await suite.must(["volume", "rm", "filled", "empty", "empty2", "sticky"]);
	});

	test("in use stay; anonymous ones go with their container", async () => {
		await suite.must(["create", "--name", "user", "-v", "used:/u", "-v", "/anonymous", "busybox"]);
		expect(await suite.refusal(["volume", "rm", "used"])).toContain("remove used: volume is in use - [");
		expect(await suite.refusal(["volume", "rm", "-f", "used"])).toContain("volume is in use");
		expect(await suite.must(["volume", "prune", "-af"])).toContain("Total reclaimed space: 0B");
		await suite.must(["rm", "-v", "user"]);
		expect(await suite.must(["volume", "ls", "-q"])).toBe("used");
		await suite.must(["volume", "create", "--label", "keep", "kept"]);
		await suite.must(["volume", "create"]);
		expect(await suite.must(["volume", "prune", "-f"])).not.toContain("used");
		expect(await suite.must(["volume", "prune", "-af", "--filter", "label!=keep"])).toContain("used");
		expect(await suite.must(["volume", "ls", "-q"])).toBe("kept");
		await suite.must(["volume", "rm", "kept"]);
	});

	test("with options mount what they name while someone uses them", async () => {
		const options = ["type=tmpfs", "device=tmpfs", "o=size=1m,uid=1000"].flatMap((option) => ["--opt", option]);
		await suite.must(["volume", "create", ...options, "memory"]);
		expect(await suite.sh("stat -c %u /m; df -k /m | tail -1 | tr -s ' ' | cut -d' ' -f2", "-v", "memory:/m")).toBe(
			"1000\n1024",
		);
		const target = await suite.must(["volume", "inspect", "-f", "{{.Mountpoint}}", "memory"]);
		expect(readMounts().filter((line) => line.includes(target))).toEqual([]);
		const broken = ["type=none", "device=/nonexistent-of-gantry", "o=bind"].flatMap((option) => ["--opt", option]);
		await suite.must(["volume", "create", ...broken, "broken"]);
		expect(await suite.refusal(["run", "--rm", "-v", "broken:/b", "busybox", "true"])).toMatch(
			/error while mounting volume '.*': failed to mount local volume: mount \/nonexistent-of-gantry:.*no such file or directory/,
		);
		// What is mounted may be of use elsewhere.
		expect(await suite.must(["volume", "prune", "-af"])).toBe("Total reclaimed space: 0B");
		expect(await suite.must(["system", "df", "--format", "{{.Type}} {{.Size}}"])).toContain("Local Volumes 0B");
		await suite.must(["volume", "rm", "memory", "broken"]);
	});

	test("of a limited size live on with their container over the daemon's death, and leave no device", async () => {
		await suite.must(["volume", "create", "-o", "type=ext4", "-o", "size=16m", "disk"]);
		await suite.must(["run", "-d", "--name", "writer", "-v", "disk:/v", "busybox", "sleep", "1000"]);
		const target = await suite.must(["volume", "inspect", "-f", "{{.Mountpoint}}", "disk"]);
		await suite.must(["exec", "writer", "touch", "/v/before"]);
		await suite.daemon.kill();
		await suite.daemon.start();
		await suite.must(["exec", "writer", "touch", "/v/after"]);
		expect(await suite.sh("ls /v", "-v", "disk:/v")).toBe("after\nbefore");
		const fill = "dd if=/dev/zero of=/v/big bs=1M count=20 2>&1 | grep -o 'No space.*'";
		expect(await suite.must(["exec", "writer", "sh", "-c", fill])).toBe("No space left on device");
		await suite.must(["rm", "-f", "writer"]);
		expect(readMounts().filter((line) => line.includes(target))).toEqual([]);
		await suite.must(["volume", "rm", "disk"]);
		await waitFor(
			"the loop device to go",
			async () => !(await mustRun(["losetup", "-a"])).includes(suite.daemon.dataRoot),
		);
	});

	test("give a part of themselves by subpath, never what is outside", async () => {
		await suite.sh("mkdir -p /v/sub; echo in > /v/sub/f; ln -s / /v/escape", "-v", "parts:/v");
		const at = (subpath: string) => [
			"--rm",
			"--mount",
			`type=volume,src=parts,dst=/x,volume-subpath=${subpath}`,
			"busybox",
		];
		expect(await suite.must(["run", ...at("sub"), "cat", "/x/f"])).toBe("in");
		expect(await suite.must(["run", ...at("sub/f"), "cat", "/x"])).toBe("in");
		expect(await suite.refusal(["run", ...at("none"), "true"])).toMatch(/cannot access path .*\/none: .*no such file/);
		expect(await suite.refusal(["run", ...at("../x"), "true"])).toContain("subpath must be a relative path within");
		expect(await suite.refusal(["run", ...at("/sub"), "true"])).toContain("subpath must be a relative path within");
		const escaped = await suite.run(["run", ...at("escape"), "ls", "/x"]);
		expect(escaped.stdout).not.toContain("etc");
		await suite.must(["volume", "rm", "parts"]);
	});

	test("are handed on with --volumes-from, read-only on request", async () => {
		await suite.must([
			"create",
			"--name",
			"donor",
			"-v",
			"given:/ro:ro",
			"-v",
			"/rw",
			"-v",
			`${folder}:/bind`,
			"busybox",
		]);
		expect(await suite.sh("touch /rw/x /bind/by-heir; touch /ro/x 2>&1 || true", "--volumes-from", "donor")).toContain(
			"Read-only file system",
		);
		expect(existsSync(join(folder, "by-heir"))).toBe(true);
		expect(await suite.sh("ls /rw; touch /rw/y 2>&1 || true", "--volumes-from", "donor:ro")).toBe(
			"x\ntouch: /rw/y: Read-only file system",
		);
		const inherit = (from: string) => suite.refusal(["run", "--rm", "--volumes-from", from, "busybox", "true"]);
		expect(await inherit("donor:bogus")).toContain("invalid mode: bogus");
		expect(await inherit("none")).toContain("No such container: none");
		await suite.must(["rm", "-v", "donor"]);
		await suite.must(["volume", "rm", "given"]);
	});
});

describe("binds", () => {
	for (const runtime of ["crun", "runc"])
		test(`may be single files, read-only and writable, with ${runtime}`, async () => {
			const file = join(folder, `file-${runtime}`);
			writeFileSync(file, "text");
			const mounts = ["--runtime", runtime, "-v", `${file}:/ro:ro`, "-v", `${file}:/rw`];
			expect(await suite.sh("cat /ro; echo more > /rw; cat /ro; touch /ro 2>&1 || true", ...mounts)).toMatch(
				/^textmore\n.*Read-only file system/,
			);
		});

	beforeAll(() => {
		mkdirSync(join(folder, "below"), { recursive: true });
		writeFileSync(join(folder, "file"), "of the host");
	});

	test("show the host's files, read-only and relabelled on request", async () => {
		expect(await suite.sh("cat /f; echo changed > /d/changed", "-v", `${folder}/file:/f`, "-v", `${folder}:/d`)).toBe(
			"of the host",
		);
		expect(existsSync(join(folder, "changed"))).toBe(true);
		for (const mode of ["ro", "ro,z", "Z,ro", "ro,cached"])
			expect(await mounted("/d", "-v", `${folder}:/d:${mode}`)).toContain(" ro,");
		expect(await mounted("/d", "--mount", `type=bind,src=${folder},dst=/d,readonly`)).toContain(" ro,");
	});

	test("that hold the daemon's own files need no shared mount on the host", async () => {
		expect(await suite.sh("ls -d /all/data", "-v", `${suite.daemon.directory}:/all`)).toBe("/all/data");
		const mount = `type=bind,src=${suite.daemon.directory},dst=/all,bind-recursive=disabled`;
		expect(await suite.must(["run", "--rm", "--mount", mount, "busybox", "ls", "-d", "/all/data"])).toBe("/all/data");
	});

	test("share later mounts of a shared host mount with rshared and rslave alone", async () => {
		const shared = join(folder, "shared");
		mkdirSync(shared);
		await mustRun(["mount", "-t", "tmpfs", "gantry-shared", shared]);
		try {
			await mustRun(["mount", "--make-shared", shared]);
			mkdirSync(join(shared, "later"));
			const run = (name: string, mode: string) =>
				suite.must(["run", "-d", "--name", name, "-v", `${shared}:/s${mode}`, "busybox", "sleep", "100"]);
			await run("slave", ":rslave");
			await run("private", "");
			await mustRun(["mount", "-t", "tmpfs", "gantry-later", join(shared, "later")]);
			writeFileSync(join(shared, "later/new"), "");
			expect(await suite.must(["exec", "slave", "ls", "/s/later"])).toBe("new");
			expect(await suite.must(["exec", "private", "ls", "/s/later"])).toBe("");
			await suite.must(["rm", "-f", "slave", "private"]);
		} finally {
			await mustRun(["umount", "-R", shared]);
		}
	});

	test("without a source: -v makes it, --mount refuses or makes it on request", async () => {
		await suite.sh("true", "-v", `${folder}/made/deep:/m`);
		expect(existsSync(join(folder, "made/deep"))).toBe(true);
		const mount = `type=bind,src=${folder}/none,dst=/m`;
		expect(await suite.refusal(["run", "--rm", "--mount", mount, "busybox", "true"])).toContain(
			`invalid mount config for type "bind": bind source path does not exist: ${folder}/none`,
		);
		expect(existsSync(join(folder, "none"))).toBe(false);
	});
});

describe("tmpfs", () => {
	test("takes size, mode, owner and flags, from --tmpfs and --mount", async () => {
		const long = ["--tmpfs", "/t:rw,noexec,size=64k,uid=5,gid=6,mode=1770"];
		expect(
			await suite.sh("stat -c '%u %g %a' /t; grep -c ' /t tmpfs rw,.*noexec.*size=64k' /proc/mounts", ...long),
		).toBe("5 6 1770\n1");
		expect(await suite.sh("stat -c %a /t; grep ' /t ' /proc/mounts", "--tmpfs", "/t")).toMatch(
			/^1777\ntmpfs \/t tmpfs rw,nosuid,nodev,noexec/,
		);
		const mount = ["--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=755"];
		expect(await suite.sh("stat -c %a /t; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2", ...mount)).toBe("755\n1024");
	});
});

test("mounts that cannot be are refused in Docker's words, and leave no container", async () => {
	const cases: [string[], string][] = [
		[["-v", "name:relative"], "mount path must be absolute"],
		[["-v", "name:/"], "destination can't be '/'"],
		[["-v", "rel/path:/x"], "includes invalid characters for a local volume name"],
		[["-v", "name:/x:bogus"], "bogus"],
		[["-v", "name:/x:ro,rw"], "ro,rw"],
		[["-v", "/tmp:/x", "-v", "/etc:/x"], "Duplicate mount point: /x"],
		[["-v", "/tmp:/x", "--tmpfs", "/x"], "Duplicate mount point: /x"],
		[["--tmpfs", "/x:bogus"], 'invalid tmpfs option "bogus"'],
		[["--mount", "type=bogus,dst=/x"], "mount type unknown"],
		[["--mount", "type=bind,dst=/x"], "field Source must not be empty"],
		[["--mount", "type=volume,src=name"], "target is required"],
		[["--mount", "type=tmpfs,src=/a,dst=/x"], "field Source must not be specified"],
		[["--mount", "type=bind,src=/tmp,dst=/x,bind-propagation=bogus"], "invalid propagation"],
		[["--mount", "type=volume,src=name,dst=/x,nonsense=1"], "unexpected key 'nonsense'"],
	];
	for (const [options, message] of cases)
		expect(await suite.refusal(["run", "--rm", ...options, "busybox", "true"])).toContain(message);
	expect(await suite.must(["ps", "-aq"])).toBe("");
});
