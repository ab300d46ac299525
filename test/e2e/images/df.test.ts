/** `system df` beside what du finds in the data root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { DiskUsageResponse, LegacyDiskUsageResponse } from "../../../src/api/engine/system.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { dockerClient, TestDaemon } from "../../support/daemon.ts";
import { tarOf } from "../../support/tar-builder.ts";

let daemon: TestDaemon;
beforeAll(async () => {
	daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	// Two images on busybox, one with a container; a layer of its own; hard links, holes and symlinks.
	const script =
		"head -c 300000 /dev/urandom > /a; ln /a /b; ln -s /a /c; dd if=/dev/zero of=/hole bs=1 count=0 seek=1048576 2> /dev/null; mkdir -p /deep/er";
	await daemon.mustDocker(["run", "--name", "changed", "busybox", "sh", "-c", script]);
	await daemon.mustDocker(["commit", "changed", "one"]);
	await daemon.mustDocker(["rm", "changed"]);
	await daemon.mustDocker(["run", "--name", "two", "one", "sh", "-c", "rm /a; head -c 200000 /dev/urandom > /d"]);
	await daemon.mustDocker(["commit", "two", "two"]);
	await daemon.mustDocker(["rm", "two"]);
	await daemon.mustDocker([
		"run",
		"-d",
		"--name",
		"runs",
		"-v",
		"used:/v",
		"busybox",
		"sh",
		"-c",
		"echo text > /v/f; echo text > /f; sleep 1000",
	]);
	await daemon.mustDocker(["run", "--name", "ended", "one", "sh", "-c", "head -c 5000 /dev/zero > /e"]);
	// A file that a later member of the same archive replaces is kept for the archive's digest.
	const twice = tarOf({ name: "f", content: "x".repeat(3000) }, { name: "f", content: "y".repeat(400) });
	await daemon.mustDocker(["import", "-", "twice"], { stdin: twice });
	await daemon.mustDocker([
		"run",
		"--rm",
		"-v",
		"unused:/v",
		"busybox",
		"sh",
		"-c",
		"head -c 7000 /dev/zero > /v/f; ln /v/f /v/g",
	]);
	// The client of `run --rm` may be answered before the container's files have gone.
	const containers = join(daemon.dataRoot, "snapshots/containers");
	await waitFor("removed containers' files to go", () => readdirSync(containers).length === 2);
});
afterAll(() => daemon[Symbol.asyncDispose]());

async function df(version: string, query = ""): Promise<DiskUsageResponse & LegacyDiskUsageResponse> {
	const reply = await daemon.api("GET", `/v${version}/system/df${query}`);
	expect(reply.status).toBe(200);
	return (await reply.json()) as DiskUsageResponse & LegacyDiskUsageResponse;
}

/** Apparent sizes below paths of the data root, each file once, directories for nothing. */
async function du(...patterns: string[]): Promise<number> {
	const script = `cd '${daemon.dataRoot}'; set -- ${patterns.join(" ")}; du -sbc --exclude=layer.json "$@" | tail -1 | cut -f1; find "$@" -type d -printf '%s\\n'`;
	const [total = 0, ...directories] = (await mustRun(["sh", "-c", script])).split("\n").map(Number);
	return total - directories.reduce((sum, size) => sum + size, 0);
}

describe("system df", () => {
	test("counts layers, changes of containers and volumes as du does", async () => {
		const usage = await df("1.53", "?verbose=1");
		expect(usage.ImageUsage?.TotalSize).toBe(await du("snapshots/layers"));
		expect(usage.ContainerUsage?.TotalSize).toBe(await du("snapshots/containers/*/upper"));
		expect(usage.VolumeUsage?.TotalSize).toBe(await du("volumes/*/_data"));
		expect(usage.BuildCacheUsage).toEqual({ ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 });
		for (const { Name, UsageData } of usage.VolumeUsage?.Items ?? [])
			expect(UsageData?.Size).toBe(await du(join("volumes", Name, "_data")));
		expect(usage.VolumeUsage).toMatchObject({ TotalCount: 2, ActiveCount: 1, Reclaimable: 7000 });
		for (const { Id, SizeRw = 0 } of usage.ContainerUsage?.Items ?? [])
			expect(SizeRw).toBe(await du(`snapshots/containers/${Id}/upper`));
		expect(usage.ContainerUsage).toMatchObject({ TotalCount: 2, ActiveCount: 1, Reclaimable: 5000 });
	});

	test("tells shared and unique bytes of images apart", async () => {
		const { ImageUsage } = await df("1.53", "?verbose=1");
		const sizes = Object.fromEntries(
			(ImageUsage?.Items ?? []).map(({ RepoTags, Size, SharedSize }) => [RepoTags?.[0], { Size, SharedSize }]),
		);
		const busybox = sizes["busybox:latest"]?.Size ?? 0;
		// /a and /b are one file, /c a link of two letters, /hole as large as it says.
		const one = 300_000 + 2 + 1024 ** 2;
		expect(sizes).toEqual({
			"busybox:latest": { Size: busybox, SharedSize: busybox },
			"one:latest": { Size: busybox + one, SharedSize: busybox + one },
			"twice:latest": { Size: 3400, SharedSize: 0 },
			"two:latest": { Size: busybox + one + 200_000, SharedSize: busybox + one },
		});
		expect(ImageUsage).toMatchObject({ TotalSize: busybox + one + 203_400, Reclaimable: 203_400, ActiveCount: 2 });
	});

	test("answers in the shape of the version, with the types that were asked for", async () => {
		const keys = async (version: string, query?: string) => Object.keys(await df(version, query)).sort();
		const legacy = ["BuildCache", "Containers", "Images", "LayersSize", "Volumes"];
		const current = ["BuildCacheUsage", "ContainerUsage", "ImageUsage", "VolumeUsage"];
		expect(await keys("1.41")).toEqual(["BuildCache", "BuilderSize", ...legacy.slice(1)]);
		expect(await keys("1.41", "?type=image")).toEqual(["BuildCache", "BuilderSize", ...legacy.slice(1)]);
		expect(await keys("1.51")).toEqual(legacy);
		expect(await keys("1.51", "?type=image&type=volume")).toEqual(["Images", "LayersSize", "Volumes"]);
		expect(await keys("1.52")).toEqual([...legacy, ...current].sort());
		expect(await keys("1.52", "?verbose=1")).toEqual(current);
		expect(await keys("1.53")).toEqual(current);
		expect(await keys("1.53", "?type=build-cache")).toEqual(["BuildCacheUsage"]);
		expect((await df("1.53")).ImageUsage?.Items).toBeUndefined();
		expect((await df("1.53", "?verbose=1")).ImageUsage?.Items).toHaveLength(4);
		expect((await df("1.43", "?type=image")).Images?.[0]?.VirtualSize).toBeGreaterThan(0);
		expect((await df("1.44", "?type=image")).Images?.[0]?.VirtualSize).toBeUndefined();
		const wrong = await daemon.api("GET", "/v1.51/system/df?type=disk");
		expect([wrong.status, await wrong.json()]).toEqual([400, { message: "unknown object type: disk" }]);
	});

	test("shows the same in gantry and in docker, but for what is really reclaimable", async () => {
		const rows = (text: string) => text.split("\n").map((line) => JSON.parse(line) as Record<string, string>);
		const own = rows(await daemon.mustGantry(["system", "df", "--format", "json"]));
		expect(own.map(({ Type, TotalCount, Active, Reclaimable }) => [Type, TotalCount, Active, Reclaimable])).toEqual([
			["Images", "4", "2", expect.stringMatching(/^203\.4kB \(\d+%\)$/)],
			["Containers", "2", "1", "5kB (99%)"],
			["Local Volumes", "2", "1", "7kB (99%)"],
			["Build Cache", "0", "0", "0B"],
		]);
		const docker = rows(await daemon.mustDocker(["system", "df", "--format", "json"]));
		const withoutImages = (row: Record<string, string>) =>
			row["Type"] === "Images" ? { ...row, Reclaimable: "" } : row;
		expect(own.map(withoutImages)).toEqual(docker.map(withoutImages));
		const details = async (run: (args: readonly string[]) => Promise<string>) =>
			JSON.parse(await run(["system", "df", "-v", "--format", "json"]));
		expect(await details((args) => daemon.mustGantry(args))).toEqual(await details((args) => daemon.mustDocker(args)));
	});

	test.skipIf(dockerClient === undefined)("-v prints docker's tables", async () => {
		// Ages, and the width of their columns, may change between the two.
		const settled = (table: string) =>
			table.replace(/Less than a second|\d+ seconds?|About a minute/g, "moments").replace(/ +/g, " ");
		const theirs = await daemon.mustDocker(["system", "df", "-v"]);
		expect(settled(await daemon.mustGantry(["system", "df", "-v"]))).toBe(settled(theirs));
	});

	test("says beforehand what a prune gives back", async () => {
		const before = await du("snapshots/layers");
		const { ImageUsage } = await df("1.53");
		const { ImagesDeleted, SpaceReclaimed } = (await (
			await daemon.api("POST", '/images/prune?filters={"dangling":["false"]}')
		).json()) as { ImagesDeleted: { Untagged?: string }[]; SpaceReclaimed: number };
		expect(ImagesDeleted.flatMap(({ Untagged }) => Untagged ?? []).sort()).toEqual(["twice:latest", "two:latest"]);
		expect(SpaceReclaimed).toBe(ImageUsage?.Reclaimable ?? -1);
		expect(before - (await du("snapshots/layers"))).toBe(SpaceReclaimed);
		expect((await df("1.53")).ImageUsage?.Reclaimable).toBe(0);
		expect(await daemon.mustDocker(["container", "prune", "-f"])).toContain("Total reclaimed space: 5kB");
		expect((await df("1.53")).ImageUsage?.Reclaimable).toBe(300_000 + 2 + 1024 ** 2);
	});
});
