/** Names after FROM and --from that mean no image, and what is said then. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestContext } from "../../support/build-context.ts";
import { TestDaemon } from "../../support/daemon.ts";

let daemon: TestDaemon;

beforeAll(async () => {
	daemon = await TestDaemon.start();
	await daemon.loadBusybox();
});
afterAll(() => daemon.remove());

async function build(...dockerfile: string[]): Promise<string> {
	using context = new TestContext({ Dockerfile: dockerfile });
	const { code, stderr } = await daemon.gantry(["build", "--progress", "plain", context.directory]);
	return `${stderr}\ncode ${code}`;
}

test("a name is not taken for the first letters of some image's ID", async () => {
	const id = (await daemon.mustGantry(["image", "inspect", "-f", "{{.Id}}", "busybox"])).replace("sha256:", "");
	for (const length of [1, 4, 11]) expect(await build(`FROM ${id.slice(0, length)}`)).toEndWith("code 1");
	for (const length of [12, 64]) expect(await build(`FROM ${id.slice(0, length)}`)).toEndWith("code 0");
	await daemon.mustGantry(["tag", "busybox", id.slice(0, 4)]);
	expect(await build(`FROM ${id.slice(0, 4)}`)).toEndWith("code 0");
});

test("an image that cannot be had, and is called nearly like a stage, is asked about", async () => {
	const hint = /ERROR: failed to build: .* \(did you mean the stage builder\?\)/;
	expect(await build("FROM busybox AS builder", "FROM busybox", "COPY --from=bulider /etc /etc")).toMatch(hint);
	expect(await build("FROM busybox AS builder", "FROM bilder")).toMatch(hint);
});
