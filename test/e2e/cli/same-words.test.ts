import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";

/** What both clients must say alike where something is wrong: the exit code, and every word but the program's name. */
describe.skipIf(dockerClient === undefined)("gantry refuses in docker's words", () => {
	let daemon: TestDaemon;
	let folder = "";

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "gantry-words-"));
		await writeFile(join(folder, "blanks"), "a b=1\n");
		await writeFile(join(folder, "file"), "x");
		daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		await daemon.mustDocker(["create", "--name", "there", "busybox", "true"]);
	}, 60_000);

	afterAll(async () => {
		await rm(folder, { recursive: true, force: true });
		await daemon?.remove();
	}, 60_000);

	const commands: string[][] = [
		["create", "--name", "there", "busybox"],
		["create", "--restart", "nope", "busybox"],
		["run", "--rm", "--name", "there", "busybox"],
		["run", "--rm", "-p", "1:2:3:4", "busybox"],
		["run", "--rm", "--sysctl", "kernel.hostname=x", "busybox"],
		["run", "--rm", "--sysctl", "net.ipv4.ip_forward", "busybox"],
		["run", "--rm", "--dns-search", "..", "busybox"],
		["run", "--rm", "--health-cmd", "x", "--health-timeout", "10", "busybox"],
		["run", "--rm", "--env-file", "blanks", "busybox"],
		["run", "--rm", "--pull", "nope", "busybox"],
		["run", "--rm", "--platform", "a/b/c/d", "busybox"],
		["rm"],
		["port", "there", "nope"],
		["port", "there", "80", "90"],
		["commit", "a", "b", "c"],
		["-l", "nope", "ps"],
		["-H", "a", "-H", "b", "ps"],
		["-c", "default", "-H", "unix:///no/such.sock", "ps"],
		["cp", "file", "there:/etc/passwd/x"],
		["cp", "file", "there:/no/such/"],
		["cp", "file", "there:"],
		[
			"inspect",
			"-f",
			"{{.HostConfig.Binds}} {{.HostConfig.PidsLimit}} {{.Config.Volumes}} {{.Config.Entrypoint}} {{.State.Health}}",
			"there",
		],
		["ps", "-aq", "--no-trunc", "--format", "table {{.Names}}"],
	];
	const unnamed = (text: string) =>
		text
			.replaceAll("gantry", "docker")
			// Go's loggers of docker's client write when a copy is cut off; they are not its answer.
			.replaceAll(/^time=.*\n/gm, "")
			.replace("cannot parse platform specifier: invalid argument", "cannot parse platform specifier");
	for (const args of commands)
		test(args.join(" "), async () => {
			const options = { cwd: folder };
			const [ours, theirs] = await Promise.all([daemon.gantry(args, options), daemon.docker(args, options)]);
			expect([ours.code, ours.stdout, unnamed(ours.stderr)]).toEqual([
				theirs.code,
				theirs.stdout,
				unnamed(theirs.stderr),
			]);
		});
});
