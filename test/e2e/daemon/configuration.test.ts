/** The configuration as an administrator meets it: what is wrong is named, what is reloaded counts. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";

describe("a daemon does not start", () => {
	const refusals: [string, readonly string[], string, string][] = [
		[
			"with an unknown key",
			[],
			'{"debug": true, "storage": "x", "colour": 1}',
			"any configuration option: storage, colour",
		],
		[
			"with a key that is a flag, too",
			["--log-level=info"],
			'{"log-level": "debug"}',
			"log-level: (from flag: info, from file: debug)",
		],
		["with a key given twice", [], '{"debug": true, "mtu": 1400, "debug": false}', 'the key "debug" is given twice'],
		["with a file that is no JSON", [], '{"debug": ', "invalid JSON"],
		["with a value of the wrong kind", [], '{"debug": "yes"}', "debug"],
		["with an unknown log level", ["--log-level=loud"], "{}", "unable to parse logging level: loud"],
		["with an unknown group", ["--group=nosuchgroup"], "{}", "group nosuchgroup not found"],
		["with plain TCP, unless that is said out loud", ["--host=tcp://127.0.0.1:0"], "{}", "--allow-insecure-tcp"],
	];

	test("and says why", async () => {
		const daemon = await TestDaemon.start();
		try {
			await daemon.stop();
			const config = join(daemon.directory, "other.json");
			const run = async (args: readonly string[], content: string) => {
				writeFileSync(config, content);
				return await daemon.gantryd([`--config-file=${config}`, ...args]);
			};
			for (const [name, args, content, words] of refusals) {
				const { code, stderr } = await run(args, content);
				expect([name, code, stderr]).toEqual([name, 1, expect.stringContaining(words)]);
			}
			expect(existsSync(daemon.socketPath)).toBe(false);
			expect(existsSync(join(daemon.directory, "pid"))).toBe(false);
		} finally {
			await daemon.remove();
		}
	});
});

test("socket, group, pid file and log are as configured", async () => {
	const group = (await mustRun(["getent", "group", "daemon"])).split(":");
	await using daemon = await TestDaemon.start({ config: { group: "daemon", "log-format": "json", debug: true } });
	const socket = statSync(daemon.socketPath);
	expect([socket.mode & 0o777, socket.uid, socket.gid]).toEqual([0o660, 0, Number(group[2])]);
	expect(readFileSync(join(daemon.directory, "pid"), "utf8")).toBe(String(daemon.pid));
	await daemon.mustDocker(["volume", "create", "logged"]);
	await waitFor("the log", () => daemon.log.includes("/volumes/create"));
	const lines = daemon.log.trim().split("\n");
	for (const line of lines)
		expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), msg: expect.any(String) });
	expect(lines.map((line) => JSON.parse(line).msg)).toContain("daemon is ready");
});

test("SIGHUP reads the file again: level, labels and defaults of new containers", async () => {
	await using daemon = await TestDaemon.start({ config: { "log-level": "info" } });
	await daemon.loadBusybox();
	const refused = () => daemon.docker(["inspect", "nosuch"]);
	await refused();
	expect(daemon.log).not.toContain("level=debug");
	const reload = async (content: Readonly<Record<string, unknown>>) => {
		const count = daemon.log.split("reloaded").length;
		writeFileSync(join(daemon.directory, "daemon.json"), JSON.stringify(content));
		process.kill(daemon.pid, "SIGHUP");
		await waitFor("the reload", () => daemon.log.split("reloaded").length > count);
	};
	await reload({ "log-level": "debug", labels: ["a=b"], "default-shm-size": "1m" });
	await refused();
	await waitFor("debug lines", () => daemon.log.includes("level=debug"));
	expect(await daemon.mustDocker(["info", "--format", "{{json .Labels}}"])).toBe('["a=b"]');
	expect(await daemon.mustDocker(["run", "--rm", "busybox", "df", "-k", "/dev/shm"])).toContain(" 1024 ");
	await reload({ "log-level": "info", nonsense: 1 });
	expect(daemon.log).toContain("configuration cannot be reloaded");
	expect(daemon.log).toContain("nonsense");
	expect(await daemon.mustDocker(["info", "--format", "{{json .Labels}}"])).toBe('["a=b"]');
});
