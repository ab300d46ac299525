/** Build arguments that BuildKit itself listens to. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite();

test("name the host of commands, and keep caches apart", async () => {
	const own = ["--build-arg", "BUILDKIT_CACHE_MOUNT_NS=own"];
	const cache = "--mount=type=cache,target=/cache";
	await suite.mustBuild(["FROM busybox", `RUN ${cache} touch /cache/own`], ...own);
	await suite.mustBuild(["FROM busybox", `RUN ${cache} [ ! -e /cache/own ]`]);
	const hostname = ["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=workbench"];
	await suite.mustBuild(
		["FROM busybox", `RUN ${cache} [ -e /cache/own ] && [ $(hostname) = workbench ]`],
		...own,
		...hostname,
	);
});

test("put the cache into the image", async () => {
	const archive = suite.context.path("image.tar");
	const documents = async (...args: string[]) => {
		await suite.mustBuild(["FROM busybox", "RUN touch /a"], "-o", `type=docker,dest=${archive}`, ...args);
		return await mustRun(["tar", "-xOf", archive]);
	};
	expect(await documents()).not.toContain("gantry.cache.v1");
	expect(await documents("--build-arg", "BUILDKIT_INLINE_CACHE=1")).toContain("gantry.cache.v1");
});

test("make of one platform what several would be", async () => {
	const dockerfile = ["FROM busybox", "COPY Dockerfile /"];
	const several = ["--build-arg", "BUILDKIT_MULTI_PLATFORM=1"];
	const archive = suite.context.path("image.tar");
	const index = async () => JSON.parse(await mustRun(["tar", "-xOf", archive, "index.json"])).manifests[0].mediaType;
	await suite.mustBuild(dockerfile, "-o", `type=oci,dest=${archive}`);
	expect(await index()).toBe("application/vnd.oci.image.manifest.v1+json");
	await suite.mustBuild(dockerfile, ...several, "-o", `type=oci,dest=${archive}`);
	expect(await index()).toBe("application/vnd.oci.image.index.v1+json");
	await suite.mustBuild(dockerfile, ...several, "-o", suite.context.path("tree"));
	expect(readdirSync(suite.context.path("tree"))).toEqual([expect.stringMatching(/^linux_/)]);
	await suite.mustBuild(dockerfile, ...several, "-t", "stored");
	expect(await suite.failure(dockerfile, ...several, "-o", `type=docker,dest=${archive}`)).toContain("manifest lists");
});
