/** The disk budget: what it removes, what it never removes, and that it says so beforehand. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GcRequest, GcResponse } from "../../../src/api/engine/gc.ts";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { tarOf } from "../../support/tar-builder.ts";

const MB = 1_000_000;
/** Nothing by itself; what was used a moment ago may go, or nothing could be tested. */
const ON_DEMAND = { gc: { enabled: false, grace: "0s", keep: ["kept*", "example.com/*/kept"] } };

/** Imports images of one layer, the first one the longest unused. */
async function importImages(daemon: TestDaemon, images: Readonly<Record<string, number>>): Promise<void> {
	for (const [name, size] of Object.entries(images)) {
		const stdin = tarOf({
			name: "file",
			content: randomBytes(size)
				.toString("latin1")
				.replace(/[^\0-\x7f]/g, "x"),
		});
		await daemon.mustDocker(["import", "--change", 'CMD ["/file"]', "-", name], { stdin });
	}
}

async function gc(daemon: TestDaemon, request: GcRequest): Promise<GcResponse> {
	const reply = await daemon.api("POST", "/x-gantry/gc", { ...request });
	if (!reply.ok) throw new Error(await reply.text());
	return (await reply.json()) as GcResponse;
}

async function images(daemon: TestDaemon): Promise<string[]> {
	return (await daemon.mustDocker(["images", "-a", "--format", "{{.Repository}}"])).split("\n").filter(Boolean).sort();
}

async function layerBytes(daemon: TestDaemon): Promise<number> {
	const script = `cd ${daemon.dataRoot}/snapshots/layers && find . -path './*/fs/*' ! -type d -printf '%s\\n'`;
	const sizes = (await mustRun(["sh", "-c", script])).split("\n");
	return sizes.reduce((sum, size) => sum + Number(size), 0);
}

const names = (entries: readonly { Name: string }[]) => entries.map(({ Name }) => Name);

describe("a collection on demand", () => {
	let daemon: TestDaemon;
	beforeAll(async () => {
		daemon = await TestDaemon.start({ config: ON_DEMAND });
		await importImages(daemon, {
			"used:1": MB,
			"pinned:1": MB,
			"kept-by-name:1": MB,
			"example.com/team/kept:1": MB,
			"oldest:1": MB,
			"middle:1": 2 * MB,
			"newest:1": MB,
			"moved:1": MB,
		});
		await daemon.mustDocker(["create", "--name", "stopped", "used:1", "sh"]);
		await daemon.mustGantry(["image", "pin", "pinned:1", "not-there-yet"]);
		// The name goes to another image: the old one stays without a name.
		await importImages(daemon, { "moved:1": MB });
		// Making a container is a use.
		await daemon.mustDocker(["create", "--name", "short", "oldest:1", "sh"]);
		await daemon.mustDocker(["rm", "short"]);
	});
	afterAll(() => daemon[Symbol.asyncDispose]());

	test("without limits removes nothing and says that there are none", async () => {
		const result = await gc(daemon, {});
		expect({ ...result, Kept: [], AvailableSpace: 0, TotalSpace: 0 }).toEqual({
			DryRun: false,
			HasLimits: false,
			UsedSpace: 10 * MB,
			AvailableSpace: 0,
			TotalSpace: 0,
			WantedSpace: 0,
			FreedSpace: 0,
			Removed: [],
			Kept: [],
		});
		const { stderr } = await daemon.gantry(["system", "gc"]);
		expect(stderr).toContain("No limits: give --max-used-space");
	});

	test("shows beforehand what would go, and why, and touches nothing", async () => {
		const before = await images(daemon);
		const result = await gc(daemon, { DryRun: true, MaxUsedSpace: `${5 * MB}` });
		// The nameless one first, then by last use.
		expect(
			result.Removed.map(({ Name, Freed, Reason }) => [Name.replace(/^[0-9a-f]{12}$/, "nameless"), Freed, Reason]),
		).toEqual([
			["nameless", MB, "more than max-used-space is used"],
			["middle:1", 2 * MB, "more than max-used-space is used"],
			["newest:1", MB, "more than max-used-space is used"],
			["moved:1", MB, "more than max-used-space is used"],
		]);
		const kept = Object.fromEntries(result.Kept.map(({ Name, Reason }) => [Name, Reason]));
		const container = (await daemon.mustDocker(["inspect", "-f", "{{.Id}}", "stopped"])).slice(0, 12);
		expect(kept).toEqual({
			"used:1": `container ${container} uses it`,
			"pinned:1": "pinned as pinned:1",
			"kept-by-name:1": "kept by kept*",
			"example.com/team/kept:1": "kept by example.com/*/kept",
			"oldest:1": "within the limits",
		});
		expect(result).toMatchObject({ DryRun: true, UsedSpace: 10 * MB, WantedSpace: 5 * MB, FreedSpace: 5 * MB });
		expect(await images(daemon)).toEqual(before);
		const text = await daemon.mustGantry(["system", "gc", "--dry-run", "--max-used-space", `${5 * MB}`, "-v"]);
		expect(text).toMatch(
			/^Would be removed:\nKIND +NAME +ID +LAST USED +FREES +WHY\nimage +[0-9a-f]{12} .*1MB +more than/,
		);
		expect(text).toMatch(/\nWould stay:\n[\s\S]*\npinned|image +pinned:1 .* pinned as pinned:1\n/);
		expect(text).toEndWith("5MB of 10MB would be freed (at most 5MB used)");
	});

	test("remembers the order of use over a restart", async () => {
		const order = names((await gc(daemon, { DryRun: true, MaxUsedSpace: "0" })).Removed);
		expect(order).toHaveLength(5);
		await daemon.stop();
		await daemon.start();
		expect(names((await gc(daemon, { DryRun: true, MaxUsedSpace: "0" })).Removed)).toEqual(order);
	});

	test("frees just that much, by Docker's events", async () => {
		const before = await layerBytes(daemon);
		const since = (Date.now() / 1000).toFixed(3);
		const result = await gc(daemon, { MaxUsedSpace: `${8 * MB}` });
		expect(names(result.Removed).slice(1)).toEqual(["middle:1"]);
		expect([result.FreedSpace, before - (await layerBytes(daemon))]).toEqual([3 * MB, 3 * MB]);
		const until = (Date.now() / 1000).toFixed(3);
		const events = await daemon.mustDocker([
			"events",
			"--since",
			since,
			"--until",
			until,
			"--format",
			"{{.Action}} {{.Actor.Attributes.reclaimed}}",
		]);
		expect(events.split("\n")).toEqual([
			"delete <no value>",
			"untag <no value>",
			"delete <no value>",
			`prune ${3 * MB}`,
		]);
	});

	test("never removes what is used, pinned or kept, whatever the limits", async () => {
		const { code, stderr, stdout } = await daemon.gantry([
			"system",
			"gc",
			"--max-used-space",
			"0",
			"--min-free-space",
			"100%",
		]);
		expect([code, stdout]).toEqual([
			0,
			expect.stringMatching(/^Removed:[\s\S]*3MB of 7MB freed \(at most 0B used, at least .* free\)\n$/),
		]);
		expect(stderr).toMatch(/^The limits ask for .*: the rest is in use, pinned, or was used a moment ago/);
		expect(await images(daemon)).toEqual(["example.com/team/kept", "kept-by-name", "pinned", "used"]);
		expect((await gc(daemon, { UnusedFor: "0s" })).Removed).toEqual([]);
	});

	test("image prune -a leaves pinned images alone, too, until they are unpinned", async () => {
		expect(await daemon.mustGantry(["image", "pin"])).toBe("pinned:1\nnot-there-yet:latest");
		await daemon.mustDocker(["image", "prune", "-a", "-f"]);
		expect(await images(daemon)).toEqual(["pinned", "used"]);
		await importImages(daemon, { "not-there-yet:latest": MB });
		await daemon.mustDocker(["image", "prune", "-a", "-f"]);
		expect(await images(daemon)).toEqual(["not-there-yet", "pinned", "used"]);
		expect(await daemon.mustGantry(["image", "unpin", "pinned:1", "not-there-yet"])).toBe("pinned:1\nnot-there-yet");
		const again = await daemon.gantry(["image", "unpin", "pinned:1"]);
		expect([again.code, again.stderr]).toEqual([1, "Error response from daemon: No such pin: pinned:1\n"]);
		await daemon.mustDocker(["image", "prune", "-a", "-f"]);
		expect(await images(daemon)).toEqual(["used"]);
	});

	test("a pin by ID holds one image, a pin by name moves on with it", async () => {
		await importImages(daemon, { "app:1": MB });
		const first = await daemon.mustDocker(["images", "-q", "--no-trunc", "app:1"]);
		await daemon.mustGantry(["image", "pin", first.slice(7, 19), "app:1"]);
		expect(await daemon.mustGantry(["image", "pin"])).toBe(`${first}\napp:1`);
		await importImages(daemon, { "app:1": MB });
		await importImages(daemon, { "app:1": MB });
		const { Removed } = await gc(daemon, { MaxUsedSpace: "0" });
		expect(Removed).toHaveLength(1);
		expect((await daemon.mustDocker(["images", "-a", "-q", "--no-trunc"])).split("\n")).toContain(first);
		expect(await images(daemon)).toEqual(["<none>", "app", "used"]);
	});

	test("parents of images made from them go after their children", async () => {
		await importImages(daemon, { "base:1": MB });
		await daemon.mustDocker(["create", "--name", "made", "base:1", "/file"]);
		await daemon.mustDocker(["commit", "made", "child:1"]);
		await daemon.mustDocker(["rm", "made"]);
		await daemon.mustGantry(["image", "pin", "child:1"]);
		expect(names((await gc(daemon, { DryRun: true, MaxUsedSpace: "0" })).Kept)).toContain("base:1");
		await daemon.mustGantry(["image", "unpin", "child:1"]);
		expect(names((await gc(daemon, { MaxUsedSpace: "0" })).Removed)).toEqual(["child:1", "base:1"]);
	});

	test("image prune obeys its filters", async () => {
		const label = async (name: string, ...changes: string[]) => {
			const flags = changes.flatMap((change) => ["--change", change]);
			await daemon.mustDocker(["import", ...flags, "-", name], { stdin: tarOf({ name, content: name }) });
		};
		await label("with:1", "LABEL stage=test", "LABEL keep=yes");
		await label("without:1", "LABEL stage=test");
		await label("other:1");
		const prune = async (...filters: string[]) =>
			(await daemon.mustDocker(["image", "prune", "-a", "-f", ...filters.flatMap((filter) => ["--filter", filter])]))
				.split("\n")
				.flatMap((line) => /^untagged: (\S+)/.exec(line)?.[1] ?? []);
		expect(await prune("until=1h")).toEqual([]);
		expect(await prune("label=stage=prod")).toEqual([]);
		expect(await prune("label=stage=test", "label!=keep")).toEqual(["without:1"]);
		expect(await prune("label=stage")).toEqual(["with:1"]);
		expect(await prune("label!=stage")).toEqual(["other:1"]);
	});

	test("refuses limits that are none", async () => {
		for (const [request, message] of [
			[{ MaxUsedSpace: "much" }, "gc: max-used-space: invalid size: 'much'"],
			[{ MinFreeSpace: "120%" }, "gc: min-free-space: invalid size: '120%'"],
			[{ UnusedFor: "1 week" }, 'gc: unused-for: time: invalid duration "1 week"'],
		] as const) {
			const reply = await daemon.api("POST", "/x-gantry/gc", request);
			expect([reply.status, await reply.json()]).toEqual([400, { message }]);
		}
		const wrong = await daemon.api("PUT", "/x-gantry/pins/UPPER%20CASE");
		expect(wrong.status).toBe(400);
	});
});

test("images and build cache are one budget", async () => {
	await using daemon = await TestDaemon.start({ config: ON_DEMAND });
	await daemon.loadBusybox();
	const run = (file: string, size: number) => `RUN head -c ${size} /dev/urandom > /${file}`;
	const dockerfile = (...lines: string[]) =>
		tarOf({ name: "Dockerfile", content: ["FROM busybox", ...lines].join("\n") });
	const build = async (name: string, ...lines: string[]) => {
		const reply = await daemon.api("POST", `/build?t=${name}`, dockerfile(...lines));
		expect(await reply.text()).toContain("Successfully built");
	};
	await build("app", run("shared", MB), run("app", MB));
	await build("tool", run("shared", MB), run("tool", 2 * MB));
	// Its image goes, its layer stays in the cache.
	await daemon.mustDocker(["rmi", "tool"]);
	const df = async () =>
		JSON.parse(`[${(await daemon.mustGantry(["system", "df", "--format", "json"])).replaceAll("\n", ",")}]`);
	const sizes = Object.fromEntries((await df()).map((row: Record<string, string>) => [row["Type"], row["Size"]]));
	const { UsedSpace } = await gc(daemon, {});
	expect([sizes["Images"], sizes["Build Cache"]]).toEqual([
		`${((UsedSpace - 2 * MB) / 1e6).toPrecision(4)}MB`.replace(/0+MB/, "MB"),
		"2MB",
	]);
	// Cache that an image has, too, frees nothing and stays. The image is what was used last.
	await daemon.mustDocker(["create", "--name", "short", "app"]);
	await daemon.mustDocker(["rm", "short"]);
	const first = await gc(daemon, { MaxUsedSpace: `${UsedSpace - MB}` });
	expect(first.Removed.map(({ Kind, Freed }) => [Kind, Freed])).toEqual([["build-cache", 2 * MB]]);
	expect(first.Removed[0]?.Name).toContain("/tool");
	expect(await layerBytes(daemon)).toBe(UsedSpace - 2 * MB);
	const all = await gc(daemon, { MaxUsedSpace: "0" });
	expect(new Set(all.Removed.map(({ Kind }) => Kind))).toEqual(new Set(["image", "build-cache"]));
	expect([all.FreedSpace, await layerBytes(daemon)]).toEqual([UsedSpace - 2 * MB, 0]);
	// Nothing is broken by it.
	await daemon.loadBusybox();
	await build("app", run("shared", MB), "COPY Dockerfile /");
	expect(await daemon.mustDocker(["run", "--rm", "app", "wc", "-c", "/shared"])).toBe(`${MB} /shared`);
});

describe("a policy", () => {
	test("collects by itself, and is reloaded", async () => {
		await using daemon = await TestDaemon.start({
			config: { gc: { "max-used-space": `${3 * MB}`, grace: "0s", interval: "1s" } },
		});
		await importImages(daemon, { "one:1": MB, "two:1": MB, "three:1": MB, "four:1": MB });
		await waitFor("the oldest to go", async () => (await images(daemon)).length === 3);
		expect(await images(daemon)).toEqual(["four", "three", "two"]);
		expect(daemon.log).toMatch(/"removed to free disk space".* kind=image name=one:1/);
		const config = { gc: { "unused-for": "1s", grace: "0s", interval: "1s", keep: ["four"] } };
		writeFileSync(join(daemon.directory, "daemon.json"), JSON.stringify(config));
		process.kill(daemon.pid, "SIGHUP");
		await waitFor("all others to go", async () => (await images(daemon)).length === 1);
		expect(await images(daemon)).toEqual(["four"]);
	});

	test("that makes no sense is refused at start", async () => {
		await using daemon = await TestDaemon.start();
		await daemon.stop();
		for (const [gc, message] of [
			[{}, "gc: nothing would ever be removed"],
			[{ "max-used": "1GB" }, 'gc: unknown key "max-used"'],
			[{ "unused-for": "soon" }, "gc: unused-for: time: invalid duration"],
		] as const) {
			const path = join(daemon.directory, "wrong.json");
			writeFileSync(path, JSON.stringify({ gc }));
			const { code, stderr } = await daemon.gantryd([`--config-file=${path}`, "--validate"]);
			expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
		}
	});
});
