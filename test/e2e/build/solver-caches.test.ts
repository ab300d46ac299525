/** The cache in directories of the client, and all of it in registries. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { TestContext } from "../../support/build-context.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

let daemon: TestDaemon;
let registry: RegistryProcess;
let context: TestContext;

beforeAll(async () => {
	registry = await startRegistry();
	daemon = await TestDaemon.start();
	await daemon.loadBusybox();
});
afterAll(async () => {
	await registry[Symbol.asyncDispose]();
	await daemon.remove();
});
beforeEach(() => {
	context = new TestContext({});
	return () => context[Symbol.dispose]();
});

async function mustBuild(dockerfile: readonly string[], ...args: string[]): Promise<string> {
	context.write({ Dockerfile: dockerfile });
	const { code, stdout, stderr } = await daemon.gantry(["build", "--progress", "plain", ...args, context.directory]);
	if (code !== 0) throw new Error(stderr);
	return `${stdout}${stderr}`;
}

/** As on a machine that never built anything. */
async function forget(...images: string[]): Promise<void> {
	for (const image of images) await daemon.mustDocker(["rmi", "-f", image]);
	await daemon.api("POST", "/v1.43/build/prune?all=1");
}

/** All but FROM, which is always there. */
const cachedSteps = (output: string) => output.match(/\] (?:COPY|RUN) .*\n#\d+ CACHED/g)?.length ?? 0;

const uuidOf = (image: string) => daemon.mustDocker(["run", "--rm", image, "cat", "/uuid"]);

/** The target has a file of its middle stage, whose command gives something else each time. */
const STAGES = [
	"FROM busybox AS middle",
	"COPY input .",
	"RUN cat /proc/sys/kernel/random/uuid > /uuid",
	"FROM busybox",
	"COPY --from=middle /uuid /uuid",
];

test("a cache goes into a directory of the client, and comes from there", async () => {
	const dockerfile = ["FROM busybox", "COPY input .", "RUN cat /proc/sys/kernel/random/uuid > /uuid"];
	context.write({ input: "same" });
	const directory = context.path("cache");
	const images = await daemon.mustDocker(["images", "-aq"]);
	await mustBuild(dockerfile, "--cache-to", `type=local,dest=${directory}`, "--output", "type=cacheonly");
	expect(await daemon.mustDocker(["images", "-aq"])).toBe(images);
	expect(JSON.parse(readFileSync(`${directory}/index.json`, "utf8")).manifests.length).toBe(1);
	await mustBuild(dockerfile, "-t", "local");
	const uuid = await uuidOf("local");
	await forget("local");
	const output = await mustBuild(dockerfile, "-t", "local", "--cache-from", `type=local,src=${directory}`);
	expect(cachedSteps(output)).toBe(2);
	expect(await uuidOf("local")).toBe(uuid);
	// Both at once, as in a pipeline that hands its cache on.
	await mustBuild(
		[...dockerfile, "RUN echo more > /more"],
		"--cache-from",
		`type=local,src=${directory}`,
		"--cache-to",
		`type=local,dest=${directory}`,
	);
	await forget("local");
	const more = await mustBuild([...dockerfile, "RUN echo more > /more"], "--cache-from", `type=local,src=${directory}`);
	expect(cachedSteps(more)).toBe(3);
	const missing = await mustBuild(dockerfile, "--cache-from", `type=local,src=${context.path("nothing")}`);
	expect(missing).toContain(`WARNING: there is no cache in ${context.path("nothing")}`);
});

test("a damaged cache is none", async () => {
	const dockerfile = ["FROM busybox", "RUN echo damaged > /d"];
	const directory = context.path("cache");
	await mustBuild(dockerfile, "--cache-to", `type=local,dest=${directory}`);
	rmSync(`${directory}/blobs`, { recursive: true });
	await forget();
	const output = await mustBuild(dockerfile, "--cache-from", `type=local,src=${directory}`);
	expect(output).toContain("is missing");
	expect(cachedSteps(output)).toBe(0);
});

test("mode=max keeps the steps of all stages", async () => {
	const directory = context.path("cache");
	const name = `${registry.host}/max:cache`;
	const targets = [
		{ to: `type=local,dest=${directory},mode=max`, from: `type=local,src=${directory}` },
		{ to: `type=registry,ref=${name},mode=max`, from: `type=registry,ref=${name}` },
	];
	for (const { to, from } of targets) {
		context.write({ input: to });
		await mustBuild(STAGES, "-t", "max", "--cache-to", to);
		const uuid = await uuidOf("max");
		await forget("max");
		const images = await daemon.mustDocker(["images", "-aq"]);
		// The target's last step is another one: only the middle stage can be taken over.
		const output = await mustBuild(
			[...STAGES.slice(0, 4), "COPY --from=middle /uuid /again"],
			"--cache-from",
			from,
			"-t",
			"max",
		);
		expect(cachedSteps(output)).toBe(2);
		expect(await daemon.mustDocker(["run", "--rm", "max", "cat", "/again"])).toBe(uuid);
		await forget("max");
		expect(await daemon.mustDocker(["images", "-aq"])).toBe(images);
	}
	// Without it, the target's alone.
	const small = context.path("small");
	context.write({ input: "small" });
	await mustBuild(STAGES, "-t", "max", "--cache-to", `type=local,dest=${small}`);
	const uuid = await uuidOf("max");
	await forget("max");
	const output = await mustBuild(
		[...STAGES.slice(0, 4), "COPY --from=middle /uuid /again"],
		"--cache-from",
		`type=local,src=${small}`,
		"-t",
		"max",
	);
	expect(cachedSteps(output)).toBe(0);
	expect(await daemon.mustDocker(["run", "--rm", "max", "cat", "/again"])).not.toBe(uuid);
});
