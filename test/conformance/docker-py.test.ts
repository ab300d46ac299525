import { expect, test } from "bun:test";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { expectNoLeaks, takeSnapshot } from "../support/leaks.ts";
import { installPythonPackage } from "./packages.ts";
import { observe } from "./scenario.ts";

const { directory, reason } = await installPythonPackage("docker", "7.1.0");

test.skipIf(directory === undefined)(
	`docker-py drives the life of a container${reason === undefined ? "" : ` (skipped: ${reason})`}`,
	async () => {
		await using daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		const before = await takeSnapshot(daemon.isOurs);
		expect(await observe(daemon, join(directory ?? "", "bin/python"), "docker_py.py", {})).toEqual({
			run: "value\n",
			error: [3, "problem\n"],
			published: true,
			exec: [5, "out\n", "err\n"],
			socket: "typed in",
			archive: ["file", "through an archive"],
			stats: 64 * 1024 ** 2,
			list: true,
			volume: "kept\n",
			load: ["busybox:latest"],
			stopped: true,
			gone: true,
		});
		await expectNoLeaks(before, { isOurs: daemon.isOurs });
	},
	150_000,
);
