/** Several clients at work, and the daemon dies at random moments, in the middle of calls too. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { inspectAll } from "../../support/audit.ts";
import { waitFor } from "../../support/commands.ts";
import { tarOf } from "../../support/tar-builder.ts";
import { DoomedDaemon } from "./doomed-daemon.ts";
import { Round, SLEEPER, WAITER } from "./operation.ts";
import { seededRandom } from "./random.ts";

const ROUNDS = Number(process.env["GANTRY_CRASH_ROUNDS"] ?? 8);
const CLIENTS = 4;
const LONGEST_LIFE_MS = 700;
const random = seededRandom(22);

let doomed: DoomedDaemon;
beforeAll(async () => {
	doomed = await DoomedDaemon.start();
});
afterAll(async () => {
	await doomed[Symbol.asyncDispose]();
});

type Known = "created" | "running" | "exited" | "removed";

/** What a client was told of each container, last; undefined while a request is on its way. */
class Ledger {
	readonly containers = new Map<string, Known | undefined>();
	readonly volumes = new Map<string, boolean | undefined>();
	readonly images = new Map<string, boolean | undefined>();
}

const PORTS = { ExposedPorts: { "80/tcp": {} } };

/** One container's life after the other, until the daemon dies. */
async function work(client: number, round: number, ledger: Ledger): Promise<void> {
	for (let life = 0; ; life++) {
		const task = new Round(doomed.daemon, `r${round}c${client}l${life}`);
		const { name } = task;
		const step = async (known: Known, request: () => Promise<unknown>) => {
			ledger.containers.set(name, undefined);
			await request();
			ledger.containers.set(name, known);
		};
		ledger.volumes.set(task.volume, undefined);
		await task.request("POST", "/volumes/create", { Name: task.volume });
		ledger.volumes.set(task.volume, true);
		const HostConfig = { Binds: [`${task.volume}:/v`], PublishAllPorts: client % 2 === 0 };
		await step("created", () =>
			task.create({ ...(life % 2 === 0 ? SLEEPER : WAITER), ...PORTS, Volumes: { "/a": {} }, HostConfig }),
		);
		await step("running", () => task.start());
		if (client === 0) {
			ledger.images.set(task.tag, undefined);
			await task.request(
				"POST",
				`/images/create?fromSrc=-&repo=${name}&tag=crash`,
				tarOf({ name: "file", content: name }),
			);
			ledger.images.set(task.tag, true);
			ledger.images.set(task.tag, undefined);
			await task.request("DELETE", `/images/${task.tag}`);
			ledger.images.set(task.tag, false);
		}
		if (client === 1) continue; // it stays
		if (client === 2) await step("exited", () => task.request("POST", `/containers/${name}/stop?t=5`));
		await step("removed", () => task.request("DELETE", `/containers/${name}?force=1&v=1`));
		ledger.volumes.set(task.volume, undefined);
		await task.request("DELETE", `/volumes/${task.volume}`);
		ledger.volumes.set(task.volume, false);
	}
}

async function expectLedger(ledger: Ledger): Promise<void> {
	const found = new Map((await inspectAll(doomed.daemon)).map(({ Name, State }) => [Name.slice(1), State.Status]));
	for (const [name, known] of ledger.containers)
		if (known !== undefined) expect([name, found.get(name) ?? "removed"]).toEqual([name, known]);
	const task = new Round(doomed.daemon, "ledger");
	for (const [name, known] of ledger.volumes)
		if (known !== undefined) expect([name, await task.exists("volumes", name)]).toEqual([name, known]);
	for (const [tag, known] of ledger.images)
		if (known !== undefined) expect([tag, await task.exists("images", tag)]).toEqual([tag, known]);
}

async function oneRound(round: number): Promise<void> {
	const { daemon } = doomed;
	const ledger = new Ledger();
	const clients = Array.from({ length: CLIENTS }, (_, client) => work(client, round, ledger));
	const settled = Promise.allSettled(clients);
	await Bun.sleep(Math.floor(random.next() * LONGEST_LIFE_MS));
	expect(daemon.isRunning).toBe(true);
	await daemon.kill();
	const errors = (await settled).map((result) => (result.status === "rejected" ? String(result.reason) : ""));
	// A daemon that is killed answers nothing; whatever it answered with an error before is a defect.
	expect(errors.filter((text) => / [45]\d\d /.test(text))).toEqual([]);
	await daemon.start();
	await expectLedger(ledger);
	expect(await doomed.audit()).toEqual([]);
	for (const name of ledger.containers.keys())
		await daemon.api("DELETE", `/containers/${name}?force=1&v=1`).then((reply) => reply.arrayBuffer());
	await waitFor("the containers to go", async () => (await inspectAll(daemon)).length === 0);
	await (await daemon.api("POST", '/volumes/prune?filters={"all":["true"]}')).arrayBuffer();
	await (await daemon.api("POST", "/images/prune")).arrayBuffer();
	for (const tag of ledger.images.keys()) await (await daemon.api("DELETE", `/images/${tag}`)).arrayBuffer();
	expect(await doomed.audit()).toEqual([]);
}

test(
	`the daemon dies ${ROUNDS} times under load, with seed ${random.seed}`,
	async () => {
		for (let round = 0; round < ROUNDS; round++) await oneRound(round);
	},
	30_000 + ROUNDS * 8_000,
);
