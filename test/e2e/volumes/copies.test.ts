/** Volumes renamed, cloned, exported and imported. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { readMounts } from "../../support/leaks.ts";
import { tarOf } from "../../support/tar-builder.ts";

const suite = ClientSuite.use();
const { folder } = suite;

const gantry = (...args: string[]) => suite.daemon.mustGantry(["volume", ...args]);
async function refusal(...args: string[]): Promise<string> {
	const { code, stderr } = await suite.daemon.gantry(["volume", ...args]);
	expect(code).toBe(1);
	return stderr;
}
const names = () => suite.must(["volume", "ls", "-q"]);
const dataOf = (name: string) => suite.must(["volume", "inspect", "-f", "{{.Mountpoint}}", name]);
const stateOf = (name: string) => suite.must(["inspect", "-f", "{{.State.Status}}", name]);
const remove = (...volumes: string[]) => suite.must(["volume", "rm", ...volumes]);

/** Files that do not fit in the buffers between a reader and the daemon. */
const FILL = "dd if=/dev/zero of=/v/big bs=1M count=64 2>/dev/null";

test("a rename keeps files and labels, and is refused while a container has the volume or the name is taken", async () => {
	await suite.must(["volume", "create", "--label", "a=b", "old"]);
	await suite.sh("echo mine > /v/file", "-v", "old:/v");
	await gantry("rename", "old", "new");
	expect(await names()).toBe("new");
	expect(await suite.must(["volume", "inspect", "-f", "{{.Labels.a}}", "new"])).toBe("b");
	expect(await suite.sh("cat /v/file", "-v", "new:/v")).toBe("mine");
	const anonymous = await suite.must(["volume", "create"]);
	await gantry("rename", anonymous, "named");
	expect(await suite.must(["volume", "prune", "-f"])).not.toContain("named");
	expect(await refusal("rename", "new", "named")).toContain("A volume named named already exists");
	expect(await refusal("rename", "new", "x/y")).toContain('rename x/y: "x/y" includes invalid characters');
	expect(await refusal("rename", "none", "other")).toContain("get none: no such volume");
	await suite.must(["create", "--name", "user", "-v", "new:/v", "busybox"]);
	expect(await refusal("rename", "new", "other")).toContain("rename new: volume is in use - [");
	await suite.must(["rm", "user"]);
	await remove("new", "named");
});

test("a clone has the files of a volume in use, and is a volume of its own", async () => {
	await suite.must(["volume", "create", "--label", "a=b", "source"]);
	const script =
		"echo 1 > /v/file; chown 7:8 /v/file; ln /v/file /v/same; ln -s /etc/passwd /v/link; chmod 1770 /v; sleep 1000";
	await suite.must(["run", "-d", "--name", "user", "-v", "source:/v", "busybox", "sh", "-c", script]);
	await waitFor("the files", async () => (await suite.run(["exec", "user", "ls", "/v/link"])).code === 0);
	expect(await gantry("clone", "source", "copy")).toBe("copy");
	const look = "stat -c '%u %g %h' /v/file; readlink /v/link; stat -c %a /v; cat /v/file; echo 2 > /v/file";
	expect(await suite.sh(look, "-v", "copy:/v")).toBe("7 8 2\n/etc/passwd\n1770\n1");
	expect(await suite.must(["exec", "user", "cat", "/v/file"])).toBe("1");
	expect(await suite.must(["volume", "inspect", "-f", "{{.Labels.a}}", "copy"])).toBe("b");
	expect(await refusal("clone", "source", "copy")).toContain("A volume named copy already exists");
	expect(await refusal("clone", "none", "other")).toContain("get none: no such volume");
	expect(await refusal("clone", "source", "-")).toContain("volume name is too short");
	await suite.must(["rm", "-f", "user"]);
	await remove("source", "copy");
});

test("a clone of what is mounted is a plain volume; one of a limited size has the same limit", async () => {
	const options = ["type=tmpfs", "device=tmpfs", "o=size=1m"].flatMap((option) => ["-o", option]);
	await suite.must(["volume", "create", ...options, "memory"]);
	await suite.must([
		"run",
		"-d",
		"--name",
		"user",
		"-v",
		"memory:/v",
		"busybox",
		"sh",
		"-c",
		"echo x > /v/file; sleep 1000",
	]);
	await waitFor("the file", async () => (await suite.run(["exec", "user", "ls", "/v/file"])).code === 0);
	await gantry("clone", "memory", "plain");
	expect(await suite.must(["volume", "inspect", "-f", "{{json .Options}}", "plain"])).toBe("null");
	expect(await suite.sh("cat /v/file", "-v", "plain:/v")).toBe("x");
	await suite.must(["rm", "-f", "user"]);
	await suite.must(["volume", "create", "-o", "type=ext4", "-o", "size=16m", "disk"]);
	expect(
		await suite.sh(
			"echo y > /v/file; dd if=/dev/zero of=/v/big bs=1M count=20 2>&1 | grep -o 'No space.*'",
			"-v",
			"disk:/v",
		),
	).toBe("No space left on device");
	await suite.sh("rm /v/big", "-v", "disk:/v");
	await gantry("clone", "disk", "second");
	expect(await suite.sh("cat /v/file; df -m /v | tail -1 | tr -s ' ' | cut -d' ' -f2", "-v", "second:/v")).toMatch(
		/^y\n1\d$/,
	);
	await remove("memory", "plain", "disk", "second");
	expect(readMounts().filter((line) => line.includes(`${suite.daemon.dataRoot}/volumes`))).toEqual([]);
});

test("export and import bring back files, owners, modes, times, attributes, and the volume's own directory", async () => {
	const script =
		"mkdir /v/d; echo text > /v/d/file; chown 5:6 /v/d/file; chmod 4750 /v/d/file; ln /v/d/file /v/same; mkfifo /v/pipe; chown 9:9 /v; chmod 700 /v";
	await suite.sh(script, "-v", "made:/v");
	const data = await dataOf("made");
	await mustRun(["touch", "-d", "2001-02-03 04:05:06.123456789", join(data, "d/file")]);
	await mustRun(["touch", "-d", "2002-02-03 04:05:06.5", join(data, "d")]);
	const archive = join(folder, "made.tar");
	await gantry("export", "-o", archive, "made");
	expect((await mustRun(["tar", "-tf", archive])).split("\n")).toEqual(["./", "./d/", "./d/file", "./pipe", "./same"]);
	await mustRun(["gzip", "-k", archive]);
	expect(await gantry("import", "back", `${archive}.gz`)).toBe("back");
	const described = (directory: string) =>
		mustRun(["find", directory, "-printf", "%P %y %m %U %G %s %n %T@\\n"]).then((text) => text.split("\n").sort());
	// The fifo's and the root's own times are those of the file system's last change of them.
	expect(await described(await dataOf("back"))).toEqual(await described(data));
	expect(statSync(join(await dataOf("back"), "same")).ino).toBe(statSync(join(await dataOf("back"), "d/file")).ino);
	await remove("back");
	await mustRun(
		[
			"sh",
			"-c",
			'tar -C "$1" -c . | "$2" volume import piped',
			"-",
			data,
			join(import.meta.dir, "../../../bin/gantry"),
		],
		{
			env: { DOCKER_HOST: suite.daemon.host },
		},
	);
	expect(await suite.sh("cat /v/same", "-v", "piped:/v")).toBe("text");
	await remove("piped", "made");
});

test("an import never overwrites unasked, never leads out of the volume, and a broken one leaves no volume", async () => {
	const post = (name: string, tar: Uint8Array, query = "") =>
		suite.daemon
			.api("POST", `/volumes/${name}/import${query}`, tar)
			.then(async (reply) => [reply.status, await reply.text()]);
	const hostile = tarOf(
		{ name: "out", type: "symlink", linkName: "/" },
		{ name: "out/tmp/gantry-escaped", content: "x" },
		{ name: "up", type: "symlink", linkName: "../../.." },
		{ name: "up/gantry-escaped", content: "x" },
		{ name: "inside", content: "yes" },
	);
	expect((await post("hostile", hostile))[0]).toBe(201);
	expect([existsSync("/tmp/gantry-escaped"), existsSync(`${suite.daemon.dataRoot}/gantry-escaped`)]).toEqual([
		false,
		false,
	]);
	expect(readFileSync(join(await dataOf("hostile"), "inside"), "utf8")).toBe("yes");
	const [climbed, words] = await post("climber", tarOf({ name: "a" }, { name: "../climbed", content: "x" }));
	expect([climbed, words]).toEqual([400, expect.stringContaining("outside of the root")]);
	expect((await post("torn", tarOf({ name: "a", content: "x".repeat(5000) }).subarray(0, 2000)))[0]).toBe(400);
	expect((await post("x%2Fy", tarOf({ name: "a" })))[0]).toBe(400);
	expect(await names()).toBe("hostile");
	const more = tarOf({ name: "inside", content: "replaced" }, { name: "new", content: "n" });
	const [refused, why] = await post("hostile", more);
	expect([refused, why]).toEqual([409, expect.stringContaining("import hostile: the volume has files")]);
	expect((await post("hostile", more, "?merge=1"))[0]).toBe(201);
	expect(readFileSync(join(await dataOf("hostile"), "inside"), "utf8")).toBe("replaced");
	expect(readdirSync(await dataOf("hostile")).sort()).toEqual(["gantry-escaped", "inside", "new", "out", "tmp", "up"]);
	await suite.must(["volume", "create", "empty"]);
	expect((await post("empty", more))[0]).toBe(201);
	await remove("hostile", "empty");
});

test("with --pause the containers that use it hold still, and go on however the copy ends", async () => {
	await suite.must([
		"run",
		"-d",
		"--name",
		"writer",
		"-v",
		"busy:/v",
		"busybox",
		"sh",
		"-c",
		`${FILL}; touch /v/ready; sleep 1000`,
	]);
	await suite.must(["run", "-d", "--name", "halted", "-v", "busy:/v", "busybox", "sleep", "1000"]);
	await suite.must(["run", "-d", "--name", "bystander", "busybox", "sleep", "1000"]);
	await suite.must(["pause", "halted"]);
	await waitFor("the files", async () => (await suite.run(["exec", "writer", "ls", "/v/ready"])).code === 0);
	const open = () => fetch("http://gantry/volumes/busy/export?pause=1", { unix: suite.daemon.socketPath });
	const states = async () => [await stateOf("writer"), await stateOf("halted"), await stateOf("bystander")];

	const first = await open();
	const second = await open();
	await waitFor("the pause", async () => (await stateOf("writer")) === "paused");
	expect(await states()).toEqual(["paused", "paused", "running"]);
	expect((await first.arrayBuffer()).byteLength).toBeGreaterThan(64 * 1024 ** 2);
	expect(await states()).toEqual(["paused", "paused", "running"]);
	await second.body?.cancel();
	await waitFor("the resumption", async () => (await stateOf("writer")) === "running");
	expect(await states()).toEqual(["running", "paused", "running"]);

	const third = await open();
	expect(await stateOf("writer")).toBe("paused");
	await suite.daemon.kill();
	await third.arrayBuffer().catch(() => undefined);
	await suite.daemon.start();
	expect(await states()).toEqual(["running", "paused", "running"]);

	await gantry("clone", "--pause", "busy", "still");
	expect(await states()).toEqual(["running", "paused", "running"]);
	await gantry("export", "--pause", "-o", join(folder, "busy.tar"), "busy");
	expect(await states()).toEqual(["running", "paused", "running"]);
	const fourth = await open();
	expect(await stateOf("writer")).toBe("paused");
	await suite.must(["rm", "-f", "writer"]);
	await fourth.arrayBuffer();
	await suite.must(["rm", "-f", "halted", "bystander"]);
	rmSync(join(folder, "busy.tar"));
	await remove("busy", "still");
});

test("update is for cluster volumes", async () => {
	await suite.must(["volume", "create", "plain"]);
	expect(await refusal("update", "plain")).toContain("can only update cluster volumes");
	expect(await suite.refusal(["volume", "update", "plain"])).toContain("can only update cluster volumes");
	expect((await suite.daemon.api("PUT", "/volumes/plain?version=1", {})).status).toBe(503);
	await remove("plain");
});
