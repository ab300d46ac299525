/** Volumes of plugins, with a client and a real plugin process. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { waitFor } from "../../support/commands.ts";
import { readMounts } from "../../support/leaks.ts";
import { VolumePluginProcess } from "../../support/volume-plugin.ts";

const suite = ClientSuite.use();
let plugin: VolumePluginProcess;

beforeAll(async () => {
	plugin = await VolumePluginProcess.start(join(suite.folder, "plugin"));
	plugin.publish(join(suite.daemon.execRoot, "plugins/keeper.sock"));
});
beforeEach(() => plugin.forgetCalls());
afterAll(() => plugin[Symbol.asyncDispose]());

const mounts = () => readMounts().filter((line) => line.includes(join(plugin.directory, "mounts/")));
const inspect = async (name: string) => JSON.parse(await suite.must(["volume", "inspect", name]))[0];

test("are made with their options, inspected, listed by driver and removed by the plugin", async () => {
	expect(await suite.must(["volume", "create", "-d", "keeper", "-o", "color=blue", "--label", "a=b", "kept"])).toBe(
		"kept",
	);
	expect(await suite.must(["volume", "create", "-d", "keeper", "kept"])).toBe("kept");
	expect(await inspect("kept")).toMatchObject({
		Name: "kept",
		Driver: "keeper",
		Scope: "global",
		Labels: { a: "b" },
		Options: { color: "blue" },
		Mountpoint: "",
		CreatedAt: "2020-02-02T02:02:02Z",
		Status: { holders: 0 },
	});
	await suite.must(["volume", "create", "own"]);
	const list = (...filters: string[]) => suite.must(["volume", "ls", "-q", ...filters.flatMap((each) => ["-f", each])]);
	expect(await list()).toBe("kept\nown");
	expect(await list("driver=keeper")).toBe("kept");
	expect(await list("driver=local")).toBe("own");
	expect(await list("label=a=b", "dangling=true")).toBe("kept");
	expect(await suite.refusal(["volume", "create", "-d", "local", "kept"])).toContain(
		"a volume named kept already exists with the keeper driver",
	);
	expect(await suite.must(["info", "-f", "{{.Plugins.Volume}}"])).toBe("[keeper local]");
	expect(await suite.must(["volume", "prune", "-af"])).not.toContain("kept");
	expect(await suite.must(["volume", "rm", "kept"])).toBe("kept");
	expect(plugin.calls()).toEqual(["Create kept", "Remove kept"]);
});

test("are mounted for each container that runs, filled from the image, and given back when it ends", async () => {
	const mount = ["--mount", "type=volume,src=data,dst=/etc,volume-driver=keeper,volume-opt=x=y"];
	await suite.must(["run", "-d", "--name", "one", ...mount, "busybox", "sleep", "1000"]);
	const one = await suite.must(["inspect", "-f", "{{.Id}}", "one"]);
	expect(await suite.must(["exec", "one", "cat", "/etc/passwd"])).toContain("root");
	const [shown] = JSON.parse(await suite.must(["inspect", "-f", "{{json .Mounts}}", "one"]));
	const mountpoint = join(plugin.directory, "mounts/data");
	expect(shown).toMatchObject({ Type: "volume", Name: "data", Driver: "keeper", Source: mountpoint });
	expect(await inspect("data")).toMatchObject({ Mountpoint: mountpoint, Status: { holders: 1 }, Options: { x: "y" } });
	expect(await suite.sh("touch /d/by-another; ls /d/passwd", "-v", "data:/d")).toBe("/d/passwd");
	expect(await suite.refusal(["volume", "rm", "data"])).toContain(`volume is in use - [${one}]`);
	await suite.must(["rm", "-f", "one"]);
	const calls = plugin.calls();
	expect(calls.filter((call) => call.startsWith("Mount"))).toHaveLength(
		calls.filter((call) => call.startsWith("Unmount")).length,
	);
	expect(mounts()).toEqual([]);
	expect(readFileSync(join(plugin.directory, "files/data/passwd"), "utf8")).toContain("root");
	await suite.must(["volume", "rm", "data"]);
});

test("that the plugin has by itself are listed, and used by name alone", async () => {
	await fetch("http://plugin/VolumeDriver.Create", {
		unix: plugin.socket,
		method: "POST",
		body: JSON.stringify({ Name: "foreign" }),
	});
	writeFileSync(join(plugin.directory, "files/foreign/file"), "was there");
	expect(await suite.must(["volume", "ls", "-f", "driver=keeper", "--format", "{{.Driver}} {{.Name}}"])).toBe(
		"keeper foreign",
	);
	expect(await suite.sh("cat /d/file", "-v", "foreign:/d")).toBe("was there");
	expect(await inspect("foreign")).toMatchObject({ Driver: "keeper", Options: null, Labels: null });
	await suite.must(["volume", "rm", "foreign"]);
	expect(await suite.refusal(["volume", "inspect", "foreign"])).toContain("get foreign: no such volume");
});

test("are counted right over the daemon's death, containers that live on and those that do not", async () => {
	const run = (name: string) =>
		suite.must([
			"run",
			"-d",
			"--name",
			name,
			"-v",
			"shared:/d",
			"--volume-driver",
			"keeper",
			"busybox",
			"sleep",
			"1000",
		]);
	const [lives, dies] = [await run("lives"), await run("dies")];
	await suite.must(["exec", "lives", "touch", "/d/file"]);
	const pid = Number(await suite.must(["inspect", "-f", "{{.State.Pid}}", "dies"]));
	plugin.forgetCalls();
	await suite.daemon.kill();
	process.kill(pid, "SIGKILL");
	await suite.daemon.start();
	await waitFor("the dead container's mount to be given back", () => plugin.calls().length > 0);
	expect(plugin.calls()).toEqual([`Unmount shared ${dies}`]);
	expect(await suite.must(["exec", "lives", "ls", "/d"])).toBe("file");
	await waitFor(
		"the mount to be known again",
		async () => (await suite.must(["inspect", "-f", "{{(index .Mounts 0).Source}}", "lives"])) !== "",
	);
	await suite.must(["restart", "-t", "0", "lives"]);
	expect(plugin.calls()).toEqual([`Unmount shared ${dies}`, `Unmount shared ${lives}`, `Mount shared ${lives}`]);
	await suite.must(["rm", "-f", "lives", "dies"]);
	expect(mounts()).toEqual([]);
	await suite.must(["volume", "rm", "shared"]);
});

test("fail with the plugin's words, and leave nothing", async () => {
	const create = (...args: string[]) => suite.refusal(["volume", "create", ...args]);
	expect(await create("-d", "keeper", "-o", "fail=create", "bad")).toContain("create bad: I do not want to");
	expect(await create("-d", "nobody", "bad")).toContain(
		'create bad: error looking up volume plugin nobody: plugin "nobody" not found',
	);
	expect(await suite.must(["volume", "ls", "-q", "-f", "name=bad"])).toBe("");
	await suite.must(["volume", "create", "-d", "keeper", "-o", "fail=mount", "broken"]);
	expect(await suite.refusal(["run", "--rm", "-v", "broken:/d:nocopy", "busybox", "true"])).toContain(
		"VolumeDriver.Mount: no disk today",
	);
	await suite.must(["volume", "rm", "broken"]);
	await suite.must(["volume", "create", "-d", "keeper", "-o", "fail=remove", "sticky"]);
	expect(await suite.refusal(["volume", "rm", "sticky"])).toContain("remove sticky: I keep it");
	await suite.must(["volume", "rm", "-f", "sticky"]);
	const anonymous = "type=volume,dst=/d,volume-driver=keeper,volume-opt=fail=remove";
	expect(await suite.must(["run", "--rm", "--mount", anonymous, "busybox", "echo", "ran"])).toBe("ran");
	await waitFor("the container to go", async () => (await suite.must(["ps", "-aq"])) === "");
	expect(await suite.must(["ps", "-aq"])).toBe("");
});

test("of a plugin that is down are still listed, with a warning; what needs it says so", async () => {
	await suite.must(["volume", "create", "-d", "keeper", "away"]);
	await suite.must(["create", "--name", "user", "-v", "away:/d:nocopy", "busybox", "true"]);
	await plugin.stop();
	const listed = await suite.daemon.gantry(["volume", "ls", "-q"]);
	expect(listed.stdout).toContain("away");
	expect(listed.stderr).toContain("WARNING: list keeper: VolumeDriver.List: the plugin does not listen");
	expect(await suite.refusal(["volume", "inspect", "away"])).toContain("the plugin does not listen");
	expect(await suite.refusal(["start", "-a", "user"])).toContain("the plugin does not listen");
	await plugin.start();
	expect(await suite.must(["start", "-a", "user"])).toBe("");
	await suite.must(["rm", "user"]);
	await suite.must(["volume", "rm", "away"]);
	expect(
		plugin
			.calls(["Mount", "Unmount"])
			.slice(-2)
			.map((call) => call.split(" ")[0]),
	).toEqual(["Mount", "Unmount"]);
});
