import { expect, test } from "bun:test";
import { TestDaemon } from "../support/daemon.ts";
import { expectNoLeaks, takeSnapshot } from "../support/leaks.ts";
import { installNodePackage } from "./packages.ts";
import { observe } from "./scenario.ts";

const { directory, reason } = await installNodePackage("testcontainers", "11.9.0");
const node = Bun.which("node") ?? "node";

test.skipIf(directory === undefined)(
	`Testcontainers starts, waits for, copies into, execs in and stops containers${reason === undefined ? "" : ` (skipped: ${reason})`}`,
	async () => {
		await using daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		const before = await takeSnapshot(daemon.isOurs);
		const seen = await observe(daemon, node, "testcontainers.mjs", {
			PACKAGES: directory ?? "",
			TESTCONTAINERS_RYUK_DISABLED: "true",
		});
		expect(seen).toEqual({
			page: "<h1>from the test</h1>",
			copied: "a file",
			exec: { exitCode: 3, output: "out\n", stderr: "err\n" },
			environment: "value",
			health: "healthy",
			archive: ["greeting"],
			log: "ready to serve",
			address: true,
			afterRestart: "<h1>from the test</h1>",
			timeout: true,
			missingImage: true,
			stopped: true,
		});
		const left = await (await daemon.api("GET", "/containers/json?all=1")).json();
		expect(left).toEqual([]);
		await expectNoLeaks(before, { isOurs: daemon.isOurs });
	},
	150_000,
);
