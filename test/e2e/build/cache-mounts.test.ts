/** `RUN --mount=type=cache` of steps that want the same directories at the same time. */
import { expect, test } from "bun:test";
import { TestContext } from "../../support/build-context.ts";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite();

const LIMIT_MS = 20_000;

async function build(dockerfile: readonly string[]): Promise<string> {
	suite.context.write({ Dockerfile: dockerfile });
	const { code, stderr } = await suite.daemon.gantry(
		["build", "--progress", "plain", "--no-cache", suite.context.directory],
		{
			timeoutMs: LIMIT_MS,
		},
	);
	return `${stderr}\ncode ${code}`;
}

function mount(id: string, target: string, sharing: string): string {
	return `--mount=type=cache,id=${id},target=${target},sharing=${sharing}`;
}

test("two steps that lock the same directories in another order do not wait for each other forever", async () => {
	const [x, y] = [mount("x", "/x", "locked"), mount("y", "/y", "locked")];
	const text = await build([
		"FROM busybox AS one",
		`RUN ${x} ${y} sleep 0.2; touch /one`,
		"FROM busybox AS two",
		`RUN ${y} ${x} sleep 0.2; touch /two`,
		"FROM scratch",
		"COPY --from=one /one /",
		"COPY --from=two /two /",
	]);
	expect(text).toEndWith("code 0");
});

test("one step that has a directory at two places sees the same files there", async () => {
	for (const sharing of ["locked", "private", "shared"]) {
		const mounts = `${mount(`twice-${sharing}`, "/a", sharing)} ${mount(`twice-${sharing}`, "/b", sharing)}`;
		expect(await build(["FROM busybox", `RUN ${mounts} echo same > /a/file; cat /b/file`])).toEndWith("code 0");
	}
});

test("a directory that begins as another's copy is made once, and never half", async () => {
	const copy = "--mount=type=cache,id=copied,from=busybox,source=/bin,target=/c";
	const text = await build([
		"FROM busybox AS one",
		`RUN ${copy} ls /c > /one`,
		"FROM busybox AS two",
		`RUN ${copy} ls /c > /two`,
		"FROM busybox",
		"COPY --from=one /one /",
		"COPY --from=two /two /",
		"RUN ls /bin | cmp - /one && cmp /one /two",
	]);
	expect(text).toEndWith("code 0");
});

test("a build that waits for a locked directory can be cancelled", async () => {
	const locked = mount("held", "/m", "locked");
	using first = new TestContext({ Dockerfile: ["FROM busybox", `RUN ${locked} sleep 1000`] });
	using second = new TestContext({ Dockerfile: ["FROM busybox", `RUN ${locked} sleep 1001`] });
	await using holder = suite.daemon.terminal("gantry", ["build", first.directory], { columns: 200 });
	await holder.expect(/sleep 1000/);
	await using waiter = suite.daemon.terminal("gantry", ["build", second.directory], { columns: 200 });
	await waiter.expect(/sleep 1001/);
	waiter.type("\x03");
	expect(await waiter.exited).toBe(130);
	holder.type("\x03");
	expect(await holder.exited).toBe(130);
}, 30_000);
