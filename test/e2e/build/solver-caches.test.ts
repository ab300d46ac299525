/** The cache in directories of the client, and all of it in registries. */
import { expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite({ registry: true });

const { mustBuild } = suite;

/** As on a machine that never built anything. */
async function forget(...images: string[]): Promise<void> {
	for (const image of images) await suite.daemon.mustDocker(["rmi", "-f", image]);
	await suite.daemon.api("POST", "/v1.43/build/prune?all=1");
}

/** All but FROM, which is always there. */
const cachedSteps = (output: string) => output.match(/\] (?:COPY|RUN) .*\n#\d+ CACHED/g)?.length ?? 0;

const uuidOf = (image: string) => suite.daemon.mustDocker(["run", "--rm", image, "cat", "/uuid"]);

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
	suite.context.write({ input: "same" });
	const directory = suite.context.path("cache");
	const images = await suite.daemon.mustDocker(["images", "-aq"]);
	await mustBuild(dockerfile, "--cache-to", `type=local,dest=${directory}`, "--output", "type=cacheonly");
	expect(await suite.daemon.mustDocker(["images", "-aq"])).toBe(images);
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
	const missing = await mustBuild(dockerfile, "--cache-from", `type=local,src=${suite.context.path("nothing")}`);
	expect(missing).toContain(`WARNING: there is no cache in ${suite.context.path("nothing")}`);
});

test("a damaged cache is none", async () => {
	const dockerfile = ["FROM busybox", "RUN echo damaged > /d"];
	const directory = suite.context.path("cache");
	await mustBuild(dockerfile, "--cache-to", `type=local,dest=${directory}`);
	rmSync(`${directory}/blobs`, { recursive: true });
	await forget();
	const output = await mustBuild(dockerfile, "--cache-from", `type=local,src=${directory}`);
	expect(output).toContain("is missing");
	expect(cachedSteps(output)).toBe(0);
});

test("mode=max keeps the steps of all stages", async () => {
	const directory = suite.context.path("cache");
	const name = `${suite.registry.host}/max:cache`;
	const targets = [
		{ to: `type=local,dest=${directory},mode=max`, from: `type=local,src=${directory}` },
		{ to: `type=registry,ref=${name},mode=max`, from: `type=registry,ref=${name}` },
	];
	for (const { to, from } of targets) {
		suite.context.write({ input: to });
		await mustBuild(STAGES, "-t", "max", "--cache-to", to);
		const uuid = await uuidOf("max");
		await forget("max");
		const images = await suite.daemon.mustDocker(["images", "-aq"]);
		// The target's last step is another one: only the middle stage can be taken over.
		const output = await mustBuild(
			[...STAGES.slice(0, 4), "COPY --from=middle /uuid /again"],
			"--cache-from",
			from,
			"-t",
			"max",
		);
		expect(cachedSteps(output)).toBe(2);
		expect(await suite.daemon.mustDocker(["run", "--rm", "max", "cat", "/again"])).toBe(uuid);
		await forget("max");
		expect(await suite.daemon.mustDocker(["images", "-aq"])).toBe(images);
	}
	// Without it, the target's alone.
	const small = suite.context.path("small");
	suite.context.write({ input: "small" });
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
	expect(await suite.daemon.mustDocker(["run", "--rm", "max", "cat", "/again"])).not.toBe(uuid);
});
