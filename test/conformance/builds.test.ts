/** Images built by programs, through the clients they use. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { installNodePackage, installPythonPackage } from "./packages.ts";
import { observe } from "./scenario.ts";

const python = await installPythonPackage("docker", "7.1.0");
const node = await installNodePackage("dockerode", "5.0.1");
const skipped = (reason: string | undefined) => (reason === undefined ? "" : ` (skipped: ${reason})`);

test.skipIf(python.directory === undefined)(`docker-py builds images${skipped(python.reason)}`, async () => {
	await using daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	const interpreter = join(python.directory ?? "", "bin/python");
	expect(await observe(daemon, interpreter, "docker_py_build.py", {})).toEqual({
		tags: ["py-built:latest"],
		labels: { from: "file", more: "yes" },
		steps: 6,
		run: "input\nword\n",
		same: true,
		simple: true,
		failed: ["The command '/bin/sh -c echo said; exit 9' returned a non-zero code: 9", true],
		pruned: true,
	});
});

test.skipIf(node.directory === undefined)(`dockerode builds images${skipped(node.reason)}`, async () => {
	await using daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	const seen = await observe(daemon, Bun.which("node") ?? "node", "dockerode_build.mjs", {
		PACKAGES: node.directory ?? "",
	});
	expect(seen).toMatchObject({
		id: true,
		last: "Successfully tagged node-built:latest\n",
		cached: 4,
		failed: [400, true],
	});
	expect(String(seen["run"])).toContain("file\r\nword");
});
