/** Names after FROM and --from that mean no image, and what is said then. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite();

async function build(...dockerfile: string[]): Promise<string> {
	suite.context.write({ Dockerfile: dockerfile });
	const { code, stderr } = await suite.build(undefined);
	return `${stderr}\ncode ${code}`;
}

test("a name is not taken for the first letters of some image's ID", async () => {
	const id = (await suite.daemon.mustGantry(["image", "inspect", "-f", "{{.Id}}", "busybox"])).replace("sha256:", "");
	for (const length of [1, 4, 11]) expect(await build(`FROM ${id.slice(0, length)}`)).toEndWith("code 1");
	for (const length of [12, 64]) expect(await build(`FROM ${id.slice(0, length)}`)).toEndWith("code 0");
	await suite.daemon.mustGantry(["tag", "busybox", id.slice(0, 4)]);
	expect(await build(`FROM ${id.slice(0, 4)}`)).toEndWith("code 0");
});

test("an image that cannot be had, and is called nearly like a stage, is asked about", async () => {
	const hint = /ERROR: failed to build: .* \(did you mean the stage builder\?\)/;
	expect(await build("FROM busybox AS builder", "FROM busybox", "COPY --from=bulider /etc /etc")).toMatch(hint);
	expect(await build("FROM busybox AS builder", "FROM bilder")).toMatch(hint);
});
