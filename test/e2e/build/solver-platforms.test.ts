/** Builds for several platforms: side by side, what they share once, and where the results go. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite({ registry: true });

/** Read here alone. */
// biome-ignore lint/suspicious/noExplicitAny: documents of several kinds, looked into at once
type Json = any;

const { mustBuild, failure } = suite;

const CROSS = [
	"FROM --platform=$BUILDPLATFORM busybox AS make",
	"ARG TARGETPLATFORM TARGETARCH",
	"RUN echo $TARGETPLATFORM > /target-$TARGETARCH",
	"FROM scratch",
	"ARG TARGETARCH",
	"COPY --from=make /target-$TARGETARCH /target",
	'ENTRYPOINT ["/target"]',
];

const BOTH = ["--platform", "linux/amd64,linux/arm64"];

/** A document of an OCI archive. */
const blob = async (archive: string, digest: string): Promise<Json> =>
	JSON.parse(await mustRun(["tar", "-xOf", archive, `blobs/sha256/${digest.slice(7)}`]));

describe("they are built", () => {
	test("side by side", async () => {
		// Each waits for what the other one writes while it runs.
		const meet = [
			"FROM busybox",
			"ARG TARGETVARIANT",
			"RUN --mount=type=cache,target=/meet touch /meet/x$TARGETVARIANT; i=0;" +
				" until [ -e /meet/x ] && [ -e /meet/xv2 ]; do i=$((i + 1)); [ $i -lt 200 ] || exit 1; sleep 0.1; done; echo met",
		];
		const text = await mustBuild(meet, "--platform", "linux/amd64,linux/amd64/v2", "-o", "type=cacheonly");
		expect(text).toMatch(/\[linux\/amd64 2\/2\] RUN/);
		expect(text).toMatch(/\[linux\/amd64\/v2 2\/2\] RUN/);
		expect(text.match(/^#\d+ [\d.]+ met$/gm)?.length).toBe(2);
	});

	test("and what does not depend on the platform once, without a cache, too", async () => {
		const dockerfile = [
			"FROM --platform=$BUILDPLATFORM busybox AS tools",
			"RUN cat /proc/sys/kernel/random/uuid > /id",
			"FROM --platform=$BUILDPLATFORM busybox AS make",
			"RUN cat /proc/sys/kernel/random/uuid > /early",
			"ARG TARGETARCH",
			"RUN cat /proc/sys/kernel/random/uuid > /late-$TARGETARCH",
			"FROM scratch",
			"COPY --from=tools /id /",
			"COPY --from=make /early /late-* /",
		];
		const tree = suite.context.path("tree");
		const text = await mustBuild(dockerfile, ...BOTH, "--no-cache", "-o", tree);
		expect(readdirSync(tree).sort()).toEqual(["linux_amd64", "linux_arm64"]);
		const read = (platform: string, name: string) => readFileSync(`${tree}/linux_${platform}/${name}`, "utf8");
		for (const name of ["id", "early"]) expect(read("amd64", name)).toBe(read("arm64", name));
		expect(read("amd64", "late-amd64")).not.toBe(read("arm64", "late-arm64"));
		const told = (what: string) => text.split("\n").filter((line) => new RegExp(`^#\\d+ \\[${what}`).test(line)).length;
		expect(told("linux/amd64 tools 2/2\\] RUN")).toBe(1);
		expect(told("linux/amd64 make 2/3\\] RUN")).toBe(1);
		expect(told("linux/amd64 make 3/3\\] RUN")).toBe(1);
		expect(told("linux/amd64->arm64 make 3/3\\] RUN")).toBe(1);
		expect(told("linux/amd64 internal\\] load metadata")).toBe(1);
	});

	test("from one name that stands for an image of each", async () => {
		const name = `${suite.registry.host}/base:1`;
		await mustBuild(CROSS, ...BOTH, "-t", name, "--push");
		const tree = suite.context.path("tree");
		await mustBuild([`FROM ${name}`, "COPY Dockerfile /"], ...BOTH, "--pull", "-o", tree);
		for (const architecture of ["amd64", "arm64"])
			expect(readFileSync(`${tree}/linux_${architecture}/target`, "utf8")).toBe(`linux/${architecture}\n`);
	});

	test("until one fails, which stops the others", async () => {
		const dockerfile = [
			"FROM busybox AS slow",
			"RUN --mount=type=cache,target=/stop touch /stop/running; sleep 600",
			"FROM busybox AS failing",
			"RUN --mount=type=cache,target=/stop until [ -e /stop/running ]; do sleep 0.1; done; exit 3",
			"FROM busybox",
			"COPY --from=slow / /",
			"COPY --from=failing / /",
		];
		const text = await failure(dockerfile, "--platform", "linux/amd64,linux/amd64/v2");
		expect(text).toContain("exit code: 3");
		expect(text).toMatch(/^#\d+ CANCELED$/m);
	});
});

describe("results", () => {
	test("are one index, in an archive and in a registry", async () => {
		const archive = suite.context.path("cross.tar");
		await mustBuild(CROSS, ...BOTH, "-o", `type=oci,dest=${archive}`);
		const [whole] = JSON.parse(await mustRun(["tar", "-xOf", archive, "index.json"])).manifests;
		const architectures: string[] = [];
		for (const { digest, platform } of (await blob(archive, whole.digest)).manifests) {
			const config = await blob(archive, (await blob(archive, digest)).config.digest);
			architectures.push(`${platform.architecture} ${config.architecture}`);
		}
		expect(architectures).toEqual(["amd64 amd64", "arm64 arm64"]);
		const name = `${suite.registry.host}/cross:1`;
		await mustBuild(CROSS, ...BOTH, "-t", name, "--push");
		const pushed = await fetch(`http://${suite.registry.host}/v2/cross/manifests/1`, {
			headers: { Accept: "application/vnd.oci.image.index.v1+json" },
		});
		expect(((await pushed.json()) as { manifests: unknown[] }).manifests.length).toBe(2);
	});

	test("are for the platforms asked for, also where the last stage is for another one", async () => {
		const archive = suite.context.path("labelled.tar");
		const dockerfile = ["FROM --platform=$BUILDPLATFORM busybox", "COPY Dockerfile /"];
		await mustBuild(dockerfile, "--platform", "linux/s390x,linux/arm/v7", "-o", `type=oci,dest=${archive}`);
		const [whole] = JSON.parse(await mustRun(["tar", "-xOf", archive, "index.json"])).manifests;
		const found: string[] = [];
		for (const { digest, platform } of (await blob(archive, whole.digest)).manifests) {
			const { architecture, variant = "" } = await blob(archive, (await blob(archive, digest)).config.digest);
			found.push(`${platform.architecture}${platform.variant ?? ""} ${architecture}${variant}`);
		}
		expect(found).toEqual(["s390x s390x", "armv7 armv7"]);
	});

	test("are a directory each in a tree and in a tar", async () => {
		const tar = suite.context.path("cross.tar");
		await mustBuild(CROSS, ...BOTH, "-o", `type=tar,dest=${tar}`);
		const names = ["linux_amd64/", "linux_amd64/target", "linux_arm64/", "linux_arm64/target"];
		expect((await mustRun(["tar", "-tf", tar])).split("\n")).toEqual(names);
		expect(await mustRun(["tar", "-xOf", tar, "linux_arm64/target"])).toBe("linux/arm64");
		const one = suite.context.path("one");
		await mustBuild(CROSS, "--platform", "linux/arm64", "-o", `type=local,dest=${one},platform-split=true`);
		expect(readdirSync(one)).toEqual(["linux_arm64"]);
		expect(await failure(CROSS, ...BOTH, "-o", `type=local,dest=${one},platform-split=false`)).toContain(
			"the trees of several platforms in one",
		);
	});

	test("do not go into the image store, and need an emulator for RUN", async () => {
		expect(await failure(CROSS, ...BOTH, "-t", "cross")).toContain("one platform for a name");
		const dockerfile = [
			"FROM --platform=$BUILDPLATFORM busybox AS make",
			"FROM scratch",
			"COPY --from=make / /",
			"RUN true",
		];
		const emulated = existsSync("/proc/sys/fs/binfmt_misc/qemu-s390x");
		if (emulated) console.log("linux/s390x is emulated here: that it is refused cannot be seen");
		else
			expect(await failure(dockerfile, "--platform", "linux/s390x")).toContain(
				"commands for linux/s390x cannot be run on this machine",
			);
	});
});
