/** Prunes, removals and collections at the same moment as pulls and runs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

const ROUNDS = 12;
/** Everything may go at once. */
const CONFIG = { gc: { enabled: false, grace: "0s" } };

let registry: RegistryProcess;
let daemon: TestDaemon;
/** Three images on the same layer, two of them with one of their own. */
const images = ["base", "left", "right"];
const remote = (name: string) => `${registry.host}/race/${name}:1`;

beforeAll(async () => {
	registry = await startRegistry();
	daemon = await TestDaemon.start({ config: CONFIG });
	await daemon.loadBusybox();
	await daemon.mustDocker(["tag", "busybox", remote("base")]);
	for (const name of ["left", "right"]) {
		const script = `echo ${randomBytes(30_000).toString("hex")} > /${name}`;
		await daemon.mustDocker(["run", "--name", name, "busybox", "sh", "-c", script]);
		await daemon.mustDocker(["commit", name, remote(name)]);
		await daemon.mustDocker(["rm", name]);
	}
	for (const name of images) await daemon.mustDocker(["push", "-q", remote(name)]);
	await daemon.mustDocker(["rmi", "-f", "busybox", ...images.map(remote)]);
});
afterAll(async () => {
	await daemon[Symbol.asyncDispose]();
	await registry[Symbol.asyncDispose]();
});

const stored = () =>
	["snapshots/layers", "content/blobs/sha256", "snapshots/ingest", "content/ingest", "snapshots/removed"].flatMap(
		(area) => readdirSync(join(daemon.dataRoot, area)).map((name) => `${area}/${name}`),
	);

/** Its layers, files and manifest are all there: it runs, and it can be pushed under another name. */
async function checkWhole(name: string): Promise<void> {
	const reference = remote(name);
	await daemon.mustDocker(["pull", "-q", reference]);
	const file = name === "base" ? "/etc/passwd" : `/${name}`;
	expect(await daemon.mustDocker(["run", "--rm", reference, "wc", "-c", file])).toMatch(/^[1-9]\d* /);
	await daemon.mustDocker(["tag", reference, remote(`copy-${name}`)]);
	await daemon.mustDocker(["push", "-q", remote(`copy-${name}`)]);
}

/** What a client may be told when others remove its image under its hands. */
const LOST = /No such image|not found|No such object|layer does not exist|unable to find image/i;

test("a pull gives a whole image, or the image was removed after it; nothing else fails", async () => {
	const failures: string[] = [];
	const check = (what: string, { code, stderr }: CommandResult, allowed?: RegExp) => {
		if (code !== 0 && allowed?.test(stderr) !== true) failures.push(`${what}: ${stderr.trim()}`);
	};
	for (let round = 0; round < ROUNDS; round++) {
		const name = images[round % images.length] ?? "base";
		const other = images[(round + 1) % images.length] ?? "base";
		await Promise.all([
			daemon.docker(["pull", "-q", remote(name)]).then((result) => check("pull", result)),
			daemon.docker(["pull", "-q", remote(other)]).then((result) => check("pull other", result)),
			daemon.docker(["run", "--rm", remote("left"), "cat", "/left"]).then((result) => check("run", result, LOST)),
			daemon.docker(["image", "prune", "-f"]).then((result) => check("prune", result)),
			daemon.docker(["image", "prune", "-a", "-f"]).then((result) => check("prune -a", result)),
			daemon.docker(["rmi", remote(other)]).then((result) => check("rmi", result, /No such image|conflict/)),
			daemon.gantry(["system", "gc", "--max-used-space", "0"]).then((result) => check("gc", result)),
		]);
	}
	expect(failures).toEqual([]);
	expect(daemon.log).not.toMatch(/level=error/);
	for (const name of images) await checkWhole(name);
});

test("while a container runs, its layers stay, also when its image was removed by force", async () => {
	await daemon.mustDocker(["pull", "-q", remote("right")]);
	await daemon.mustDocker(["create", "--name", "keeps", remote("right"), "cat", "/right"]);
	await daemon.mustDocker(["rmi", "-f", ...new Set([remote("right"), remote("copy-right")])]);
	await daemon.mustDocker(["image", "prune", "-a", "-f"]);
	await daemon.mustGantry(["system", "gc", "--max-used-space", "0"]);
	expect(await daemon.mustDocker(["start", "-a", "keeps"])).toHaveLength(60_000);
	await daemon.mustDocker(["rm", "keeps"]);
});

test("nothing is left when everything was removed", async () => {
	await daemon.mustDocker(["image", "prune", "-a", "-f"]);
	await daemon.stop();
	const before = stored();
	await daemon.start();
	// What a start finds to clean up was a leak.
	expect(stored()).toEqual(before);
	expect(before).toEqual([]);
});
