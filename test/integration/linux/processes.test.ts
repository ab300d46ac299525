import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { readCgroupLayout } from "../../../src/drivers/linux/cgroups.ts";
import { readHostFacts } from "../../../src/drivers/linux/host-facts.ts";
import { isProcessAlive, readCapabilities, readProcessStatus } from "../../../src/drivers/linux/processes.ts";
import { LinuxResourceMonitor } from "../../../src/drivers/linux/resource-monitor.ts";

const layout = readCgroupLayout();
const monitor = new LinuxResourceMonitor(layout);
const name = `gantry-test-${process.pid}`;
const parents =
	layout.version === 2
		? [layout.unified?.mountPoint ?? ""]
		: ["cpu", "cpuacct", "memory", "pids", "devices"].flatMap(
				(controller) => layout.controllers.get(controller)?.mountPoint ?? [],
			);
const directories = [...new Set(parents)].map((parent) => `${parent}/${name}`);
const sleeper = Bun.spawn(["sleep", "60"], { stdin: "ignore", stdout: "ignore" });

beforeAll(() => {
	for (const directory of directories) {
		mkdirSync(directory);
		writeFileSync(`${directory}/cgroup.procs`, String(sleeper.pid));
	}
});

afterAll(async () => {
	sleeper.kill();
	await sleeper.exited;
	for (const directory of directories) rmdirSync(directory);
});

test("a process in a cgroup is counted and listed, one that is gone is not", async () => {
	const usage = monitor.usage(sleeper.pid);
	expect(usage?.pids.current).toBe(1);
	expect(usage?.memory.limitBytes).toBeGreaterThan(1 << 20);
	expect(monitor.processes(sleeper.pid)).toEqual([sleeper.pid]);
	expect(monitor.memoryCgroup(`/${name}`)).toBe(
		directories.find((path) => /memory|unified|cgroup\/gantry/.test(path)) ?? "",
	);
	const gone = Bun.spawn(["true"]);
	await gone.exited;
	expect(monitor.usage(gone.pid)).toBeUndefined();
	expect(isProcessAlive(gone.pid)).toBe(false);
	expect(isProcessAlive(0)).toBe(false);
});

test("the machine's CPU time goes on", async () => {
	const before = monitor.system();
	await Bun.sleep(50);
	const after = monitor.system();
	expect(after.cpuNs).toBeGreaterThan(before.cpuNs);
	expect(after.onlineCpus).toBeGreaterThan(0);
});

test("ps runs with the given arguments and its complaint is passed on", async () => {
	expect(await monitor.listProcesses(["-o", "pid,args", "-p", String(sleeper.pid)])).toContain("sleep 60");
	await expect(monitor.listProcesses(["--nonsense"])).rejects.toThrow(/^ps: .*option/);
});

test("a process status has its state, parent and start even with brackets in the name", () => {
	const status = readProcessStatus(sleeper.pid);
	expect(status?.parentPid).toBe(process.pid);
	expect(status?.startTicks).toBeGreaterThan(readProcessStatus(1)?.startTicks ?? Number.NaN);
});

test("host facts agree with what the kernel says of this process", () => {
	const facts = readHostFacts(layout);
	expect(facts.capabilities).toEqual(readCapabilities().bounding);
	expect(facts.capabilities.has("CAP_SYS_ADMIN")).toBe(true);
	expect(facts.hardLimits["nofile"]).toBeGreaterThan(0);
	expect(facts.cgroups.pidsLimit).toBe(true);
});
