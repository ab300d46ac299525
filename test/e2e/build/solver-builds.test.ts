/** What the solver promises whatever the API: steps side by side, each once, and nothing left of what was interrupted. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { dockerClient } from "../../support/daemon.ts";
import { readMounts } from "../../support/leaks.ts";

const suite = new BuildSuite();

const CLASSIC = { env: { DOCKER_BUILDKIT: "0" } };

const { build: gantryBuild } = suite;

async function processes(): Promise<string[]> {
	return (await mustRun(["ps", "-eo", "args"])).split("\n");
}

describe("the solver", () => {
	test("runs stages that do not need each other side by side", async () => {
		// Each waits for the other's file to appear: one after the other, neither would end.
		const meet = (own: string, other: string) =>
			`RUN --mount=type=cache,id=meeting,target=/m touch /m/${own}; until test -e /m/${other}; do sleep 0.05; done`;
		const { code, stderr } = await gantryBuild([
			"FROM busybox AS one",
			meet("one", "two"),
			"FROM busybox AS two",
			meet("two", "one"),
			"FROM scratch",
			"COPY --from=one /etc /one",
			"COPY --from=two /etc /two",
		]);
		expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
	});

	test("does a step once when two builds want it at the same time", async () => {
		const dockerfile = [
			"FROM busybox",
			"RUN --mount=type=cache,id=once,target=/m echo run >> /m/log; cp /m/log /log; sleep 1",
		];
		suite.context.write({ Dockerfile: dockerfile });
		const both = await Promise.all(
			["a", "b"].map((name) => suite.daemon.gantry(["build", "-q", "-t", `once-${name}`, suite.context.directory])),
		);
		expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
			[0, ""],
			[0, ""],
		]);
		expect(both[0]?.stdout).toBe(both[1]?.stdout ?? "");
		expect(await suite.daemon.mustGantry(["run", "--rm", "once-b", "cat", "/log"])).toBe("run");
	});

	test.skipIf(dockerClient === undefined)("goes on for the other build when one of two is cancelled", async () => {
		const step = "RUN --mount=type=bind,target=/context sleep 2.5; cat /context/input > /shared";
		suite.context.write({ input: "shared", Dockerfile: ["FROM busybox", step] });
		const leaving = Bun.spawn(["docker", "-H", suite.daemon.host, "build", suite.context.directory], {
			env: { ...process.env, ...CLASSIC.env },
			stdout: "ignore",
			stderr: "ignore",
		});
		await waitFor("the step to run", async () => (await processes()).some((line) => line === "sleep 2.5"));
		const staying = suite.daemon.gantry(["build", "-q", "-t", "stayed", suite.context.directory]);
		await Bun.sleep(300);
		leaving.kill("SIGKILL");
		expect((await staying).code).toBe(0);
		expect(await suite.daemon.mustGantry(["run", "--rm", "stayed", "cat", "/shared"])).toBe("shared");
	});

	test("takes what another client's build has cached, and gives the same image", async () => {
		const dockerfile = ["FROM busybox", "ENV SAME=1", "RUN echo same > /same", "WORKDIR /there"];
		suite.context.write({ Dockerfile: dockerfile });
		const classic = await suite.daemon.mustDocker(["build", "-q", suite.context.directory], CLASSIC);
		expect((await suite.daemon.gantry(["build", "-q", suite.context.directory])).stdout.trim()).toBe(classic);
	});

	test("finds the same contents whatever made them", async () => {
		const dockerfile = (word: string) => [
			"FROM busybox AS made",
			`RUN echo ${word} > /dev/null; echo content > /file; touch -d 2020-01-01 /file`,
			"FROM busybox",
			"COPY --from=made /file /file",
			"RUN cat /proc/sys/kernel/random/uuid > /uuid",
		];
		const uuid = async (word: string) => {
			expect((await gantryBuild(dockerfile(word), "-t", "contents")).code).toBe(0);
			return suite.daemon.mustGantry(["run", "--rm", "contents", "cat", "/uuid"]);
		};
		expect(await uuid("one")).toBe(await uuid("two"));
	});
});

test("a daemon that is stopped ends its builds, and leaves nothing of them", async () => {
	suite.context.write({ Dockerfile: ["FROM busybox", "RUN sleep 4444"] });
	const client = suite.daemon.docker(["build", suite.context.directory], CLASSIC);
	await waitFor("the step to run", async () => (await processes()).includes("sleep 4444"));
	await suite.daemon.stop();
	expect((await client).code).not.toBe(0);
	expect(await processes()).not.toContain("sleep 4444");
	expect(readMounts().filter((line) => line.includes(`${suite.daemon.directory}/`))).toEqual([]);
	for (const area of ["build/tmp", "snapshots/containers"])
		expect([area, ...readdirSync(join(suite.daemon.dataRoot, area))]).toEqual([area]);
	await suite.daemon.start();
});

describe("a daemon killed in the middle of a build", () => {
	test.skipIf(dockerClient === undefined)("leaves what was finished, and nothing of what was not", async () => {
		const dockerfile = ["FROM busybox", "RUN echo done > /done", "RUN sleep 4343"];
		suite.context.write({ Dockerfile: dockerfile, "large/file": "x".repeat(100_000) });
		const client = suite.daemon.docker(["build", suite.context.directory], CLASSIC);
		await waitFor("the step to run", async () => (await processes()).includes("sleep 4343"));
		// The finished step is saved a moment after its end.
		await waitFor("the cache to be saved", async () => {
			const response = await suite.daemon.api("GET", "/v1.43/system/df?type=build-cache");
			return ((await response.json()) as { BuildCache: unknown[] }).BuildCache.length > 0;
		});
		await Bun.sleep(1000);
		await suite.daemon.kill();
		expect((await client).code).not.toBe(0);
		await suite.daemon.start();
		expect(await processes()).not.toContain("sleep 4343");
		expect(readMounts().filter((line) => line.includes(`${suite.daemon.dataRoot}/`))).toEqual([]);
		for (const area of ["build/tmp", "build/memory", "snapshots/containers", "snapshots/ingest"])
			expect([area, ...readdirSync(join(suite.daemon.dataRoot, area))]).toEqual([area]);
		for (const area of ["bundles", "shim"]) {
			const path = join(suite.daemon.execRoot, area);
			expect([area, ...(existsSync(path) ? readdirSync(path) : [])]).toEqual([area]);
		}
		suite.context.write({ Dockerfile: [...dockerfile.slice(0, 2), "RUN cat /done"] });
		const again = await suite.daemon.mustDocker(["build", suite.context.directory], CLASSIC);
		expect(again.match(/---> Using cache/g)?.length).toBe(1);
		expect(again).toContain("\ndone\n");
	});
});
