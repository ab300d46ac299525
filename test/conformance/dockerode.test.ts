import { expect, test } from "bun:test";
import { TestDaemon } from "../support/daemon.ts";
import { expectNoLeaks, takeSnapshot } from "../support/leaks.ts";
import { installNodePackage } from "./packages.ts";
import { observe } from "./scenario.ts";

const { directory, reason } = await installNodePackage("dockerode", "5.0.1");
const node = Bun.which("node") ?? "node";

test.skipIf(directory === undefined)(
	`dockerode drives the life of a container${reason === undefined ? "" : ` (skipped: ${reason})`}`,
	async () => {
		await using daemon = await TestDaemon.start();
		await daemon.loadBusybox();
		const before = await takeSnapshot(daemon.isOurs);
		expect(await observe(daemon, node, "dockerode.mjs", { PACKAGES: directory ?? "" })).toEqual({
			attached: { stdout: "typed in\n", stderr: "problem\n" },
			exitCode: 4,
			logsSinceStart: "typed in\n",
			run: { code: 0, output: "terminal\r\n" },
			exec: { output: "to the exec", code: 6 },
			archive: "through an archive",
			top: 1,
			stats: [50, true],
			name: "/conformance-holder",
			paused: 1,
			changes: true,
			committed: "through an archive",
			errors: [404, 404, 400],
			left: 0,
			actions: [
				"attach",
				"commit",
				"create",
				"destroy",
				"die",
				"exec_create",
				"exec_die",
				"exec_start",
				"extract-to-dir",
				"archive-path",
				"kill",
				"pause",
				"rename",
				"start",
				"top",
				"unpause",
			].sort(),
		});
		await expectNoLeaks(before, { isOurs: daemon.isOurs });
	},
	150_000,
);
